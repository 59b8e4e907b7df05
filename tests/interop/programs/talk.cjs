// A conversation over any WebSocket that is made as browsers make theirs: in Node, and in a page.

function talk(plan, open) {
  return new Promise((resolve) => {
    const result = { name: plan.name, subprotocol: null, types: [], audio: 0, code: null, error: null };
    const socket = open(plan);
    let next = 0;

    function say() {
      while (next < plan.say.length) {
        const event = plan.say[next++];
        socket.send(JSON.stringify(event));
        if (event.type === "response.create") return;
      }
    }

    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      result.types.push(event.type);
      if (event.type === "session.created") {
        result.subprotocol = socket.protocol || null;
        result.session = event.session;
        say();
      }
      if (event.type.endsWith("audio.delta")) result.audio += atob(event.delta).length;
      if (event.type === "response.done") {
        if (next < plan.say.length) say();
        else socket.close(1000, "that was all");
      }
    };
    socket.onerror = (event) => {
      result.error = event.message || "error";
      if (result.types.length === 0) resolve(result); // Node's own does not close what never opened
    };
    socket.onclose = ({ code }) => {
      result.code = code;
      resolve(result);
    };
  });
}

if (typeof module !== "undefined") module.exports = { talk };
