// Talks by one of the WebSockets there are for Node: node.mjs built-in|undici|ws PLANS.json
//
// `built-in` needs --experimental-websocket before Node 22. Packages are found by the folder in PACKAGES.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import talking from "./talk.cjs";

const [which, file] = process.argv.slice(2);
const packages = createRequire(join(process.env.PACKAGES ?? process.cwd(), "package.json"));

const openers = {
  "built-in": () => {
    return (plan) => new WebSocket(plan.url, { protocols: plan.protocols, headers: plan.headers });
  },
  undici: () => {
    const { WebSocket } = packages("undici");
    return (plan) => new WebSocket(plan.url, { protocols: plan.protocols, headers: plan.headers });
  },
  ws: () => {
    const WebSocket = packages("ws");
    return (plan) => new WebSocket(plan.url, plan.protocols, { headers: plan.headers });
  },
};

const open = openers[which]();
const results = [];
for (const plan of JSON.parse(readFileSync(file, "utf8"))) results.push(await talking.talk(plan, open));
console.log(JSON.stringify(results));
