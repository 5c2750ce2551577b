"use strict";

// What the page has of an answer outlives a reload: the room, the text, and the id of the last event that is in the text. All three
// are written together.
const key = "answer";
let answer = JSON.parse(sessionStorage.getItem(key) ?? "null");
let source = null;

const show = (state) => {
	document.getElementById("answer").textContent = answer?.text ?? "";
	document.getElementById("state").textContent = state;
	document.getElementById("state").dataset.state = state;
};

function follow() {
	source?.close();
	// EventSource sends the last id by itself when the connection is lost. After a reload the page does.
	const query = new URLSearchParams({ room: answer.room, history: "10001", last_event_id: answer.id });
	source = new EventSource("events?" + query);
	source.onmessage = (event) => {
		const { room, data } = JSON.parse(event.data);
		if (room !== answer.room) {
			return;
		}
		answer = { ...answer, id: event.lastEventId, text: answer.text + (data.text ?? ""), done: Boolean(data.done) };
		sessionStorage.setItem(key, JSON.stringify(answer));
		show(data.failed ? "failed" : data.done ? "done" : "writing");
		if (data.done) {
			source.close();
		}
	};
	source.addEventListener("gap", () => {
		answer = { ...answer, text: "", done: true };
		source.close();
		show("this answer is no longer kept");
	});
	source.onerror = () => show(source.readyState === EventSource.CLOSED ? "refused" : "reconnecting");
}

document.getElementById("form").addEventListener("submit", async (event) => {
	event.preventDefault();
	const prompt = document.getElementById("prompt").value;
	const response = await fetch("ask", { method: "POST", body: JSON.stringify({ prompt }) });
	if (!response.ok) {
		show(await response.text());
		return;
	}
	const { room } = await response.json();
	answer = { room, id: "", text: "", done: false };
	sessionStorage.setItem(key, JSON.stringify(answer));
	show("writing");
	follow();
});

show(answer?.done ? "done" : answer ? "reconnecting" : "");
if (answer && !answer.done) {
	follow();
}
