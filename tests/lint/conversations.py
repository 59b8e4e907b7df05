"""Whole sessions as real ones went, by what is known of them: interruptions, tools, idling, filters, old shapes."""

from __future__ import annotations

from tests.lint.sessions import NO_USAGE, USAGE, Session

WORDS = ("Of", " course", ",", " gladly", ".")


def barge_in(session: Session, *, early: bool = False) -> None:
    """The user speaks while the model does; `early`: before it says its first word."""
    response = session.response(limits=None if early else "late")
    if early:
        item = session.start_speech()
        response.done("cancelled", "turn_detected", NO_USAGE)
    else:
        answer = response.audio(WORDS, cut=True).speak()
        item = session.start_speech()
        answer.end("Of course")  # what was heard of it, not what was said
        response.done("cancelled", "turn_detected")
        session.client("conversation.item.truncate", item_id=answer.id, content_index=0, audio_end_ms=700)
        session.server("conversation.item.truncated", item_id=answer.id, content_index=0, audio_end_ms=700)
    session.end_speech(item)


def conversation(*, ga: bool, azure: bool = False, number: int = 1) -> Session:
    """A spoken conversation with interruptions, a refusal, late transcriptions and a deleted item."""
    session = Session(ga=ga, azure=azure, number=number)
    session.open()
    ask = {"type": "realtime", "instructions": "Be kind."} if ga else {"instructions": "Be kind."}
    session.client("session.update", session=ask)
    session.server("session.updated", session=session.session())
    session.user("Hello?")
    session.client("response.create")
    response = session.response(limits=None if azure else "late")
    response.audio(WORDS).speak().end()
    response.done()
    first = session.start_speech()
    session.end_speech(first)
    barge_in(session)
    barge_in(session, early=True)
    session.transcribed(first, " Wait. ")
    last = session.start_speech()
    session.end_speech(last)
    response = session.response()
    answer = response.audio(WORDS).speak()
    session.not_transcribed(last)
    answer.end()
    session.client("response.create")
    session.error(
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress: resp_1.",
    )
    response.done()
    session.client("conversation.item.delete", item_id=answer.id)
    session.server("conversation.item.deleted", item_id=answer.id)
    return session


def long_webrtc() -> Session:
    """Beta over WebRTC: no audio in the events, playback events, everything asked before it is open."""
    session = Session(ga=False)
    session.client("session.update", session={"instructions": "Be kind."})
    content = [{"type": "input_text", "text": "Hi"}]
    session.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    session.client("response.create")
    session.open(input_audio_noise_reduction=None, include=None, client_secret=None)
    session.server("session.updated", session=session.session())
    session.item(
        {"id": "msg-of-the-app", "type": "message", "status": "completed", "role": "user", "content": content}
    )
    for _ in range(4):
        response = session.response(limits="early")
        answer = response.audio(WORDS, cut=True, sound=False)
        session.server("output_audio_buffer.started", response_id=response.id)
        answer.speak()
        item = session.start_speech()
        session.server("output_audio_buffer.cleared", response_id=response.id)
        answer.end()
        response.done("cancelled", "turn_detected")
        session.server("conversation.item.truncated", item_id=answer.id, content_index=0, audio_end_ms=1500)
        session.end_speech(item)
    response = session.response(limits="early")
    answer = response.audio(WORDS, sound=False).speak()
    answer.end()
    response.done()
    session.server("output_audio_buffer.stopped", response_id=response.id)
    late = session.start_speech()
    session.server("output_audio_buffer.cleared", response_id=response.id)
    session.server("conversation.item.truncated", item_id=answer.id, content_index=0, audio_end_ms=900)
    session.end_speech(late)
    for _ in range(3):
        session.transcribed(late)
    return session


def first_beta() -> Session:
    """As of October 2024: conversation.created, bare responses, errors without a code."""
    session = Session(ga=False)
    session.open()
    session.server("conversation.created", conversation={"id": "conv_1", "object": "realtime.conversation"})
    session.user("Hello?")
    session.client("response.create", response={"modalities": ["text", "audio"]})
    response = session.response(limits="early", bare=True)
    response.audio(WORDS).speak().end()
    response.done()
    session.error(None, "Conversation already has an active response")
    response = session.response(limits="early", bare=True)
    response.done("failed", "error")
    return session


def tools() -> Session:
    """GA: one response speaks and calls a function, interleaved; its result comes before the response is done."""
    session = Session(ga=True)
    session.open()
    session.user("What is the weather?")
    response = session.response(limits="late")
    speaking = response.audio(WORDS, phase="commentary").speak()
    call = {"id": session.new("item"), "type": "function_call", "name": "weather", "call_id": "call_1"}
    where = {"response_id": response.id, "output_index": 1}
    begun = {**call, "status": "in_progress", "arguments": ""}
    session.server("response.output_item.added", **where, item=begun)
    session.item(begun, done=False)
    at = {**where, "item_id": call["id"], "call_id": "call_1"}
    for piece in ('{  \n "city"', ': "Rome"}'):
        session.server("response.function_call_arguments.delta", **at, delta=piece)
    whole = '{  \n "city": "Rome"}'
    session.server("response.function_call_arguments.done", **at, name="weather", arguments=whole)
    ended = {**call, "status": "completed", "arguments": whole}
    session.server("conversation.item.done", previous_item_id=None, item=ended)
    session.server("response.output_item.done", **where, item=ended)
    speaking.end()
    response.output.append(ended)
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    session.client("conversation.item.create", item=result)
    response.done(usage={**USAGE, "output_token_details": {"text_tokens": 9, "reasoning_tokens": 3}})
    session.client("response.create")
    session.item({**result, "id": session.new("item")})
    response = session.response(limits="late")
    response.audio(WORDS, phase="final_answer").speak().end()
    response.done()
    return session


def mcp() -> Session:
    """GA with a tool server, whose events nobody has published: in an order of our own making."""
    session = Session(ga=True)
    session.open()
    listing = {"id": session.new("item"), "type": "mcp_list_tools", "server_label": "docs", "tools": []}
    session.item(listing, done=False)
    session.server("mcp_list_tools.in_progress", item_id=listing["id"])
    session.user("Look it up.")
    response = session.response()
    call = {"id": session.new("item"), "type": "mcp_call", "server_label": "docs", "name": "find"}
    call = {**call, "arguments": "{}", "output": None, "error": None, "approval_request_id": None}
    where = {"response_id": response.id, "output_index": 0}
    session.server("response.output_item.added", **where, item=call)
    session.item(call, done=False)
    session.server("response.mcp_call_arguments.delta", **where, item_id=call["id"], delta="{}")
    session.server("response.mcp_call_arguments.done", **where, item_id=call["id"], arguments="{}")
    response.done()
    session.server("response.mcp_call.in_progress", output_index=0, item_id=call["id"])
    session.server("response.mcp_call.completed", output_index=0, item_id=call["id"])
    session.server("conversation.item.done", previous_item_id=None, item=call)
    session.server("response.output_item.done", **where, item=call)
    session.server("mcp_list_tools.completed", item_id=listing["id"])
    session.server("conversation.item.done", previous_item_id=None, item=listing)
    return session


def idle() -> Session:
    """GA: nobody says anything, and the service commits the silence."""
    session = Session(ga=True, azure=True)
    session.open()
    item = session.new("item")
    session.server("input_audio_buffer.timeout_triggered", audio_start_ms=0, audio_end_ms=5000, item_id=item)
    session.commit(item)
    response = session.response()
    response.audio(WORDS).speak().end()
    response.done()
    return session


def sideband() -> Session:
    """A second socket on a call: no session.created, and updates that somebody else asked for."""
    session = Session(ga=True)
    session.client("session.update", session={"type": "realtime", "instructions": "Be kind."})
    for _ in range(3):
        session.server("session.updated", session=session.session())
    response = session.response(limits="late")
    response.audio(WORDS, sound=False).speak().end()
    response.done()
    return session


def browser_filter() -> Session:
    """GA over WebRTC with webrtcfilter=on: only what a browser is let see."""
    session = conversation(ga=True, azure=True)
    let_through = {
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
        "conversation.item.added", "conversation.item.input_audio_transcription.completed",
        "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
    }  # fmt: skip
    session.said = [(side, event) for side, event in session.said if event["type"] in let_through]
    return session


def one_after_another(*, ga: bool) -> Session:
    """A client that reconnects: two sessions in one file."""
    first = conversation(ga=ga, number=1)
    first.said += conversation(ga=ga, number=2).said
    return first


ALL: dict[str, tuple[str, Session]] = {
    "azure-ga-conversation": ("azure-v1", conversation(ga=True, azure=True)),
    "openai-ga-conversation": ("openai-ga", conversation(ga=True)),
    "preview-conversation": ("azure-2024-10-01-preview", conversation(ga=False)),
    "beta-conversation": ("openai-beta", conversation(ga=False)),
    "beta-long-webrtc": ("openai-beta", long_webrtc()),
    "beta-first": ("openai-beta", first_beta()),
    "ga-tools": ("openai-ga", tools()),
    "ga-mcp": ("openai-ga", mcp()),
    "ga-idle": ("azure-v1", idle()),
    "ga-sideband": ("openai-ga", sideband()),
    "ga-browser-filter": ("azure-v1", browser_filter()),
    "ga-two-sessions": ("openai-ga", one_after_another(ga=True)),
    "beta-two-sessions": ("openai-beta", one_after_another(ga=False)),
}
