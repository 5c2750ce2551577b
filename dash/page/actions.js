// What changes something: each asks first.
import { $, el, toast } from "./dom.js";
import { post } from "./api.js";

// settle answers the question that the dialog asks, once. It goes by what is pressed: the dialog's close event comes later, when the
// next question may have been asked.
let settle = () => {};
function settled(yes) {
  const f = settle;
  settle = () => {};
  f(yes);
}
$("confirm").addEventListener("submit", (e) => settled(e.submitter === $("confirm-yes")));
$("confirm").addEventListener("cancel", () => settled(false));

// ask shows the dialog and returns what its fields say, or undefined. A field is [name, label, value, element, options].
async function ask(title, text, yes, fields = []) {
  settled(false);
  const inputs = fields.map(([name, label, value = "", element = "input", options = []]) => {
    const input = el(element, { autocomplete: "off" }, options.map(([key, text]) => el("option", { value: key }, text)));
    input.value = value;
    return { name, label, input };
  });
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-fields").replaceChildren(...inputs.map(({ label, input }) => el("label", {}, label, input)));
  $("confirm").showModal();
  const agreed = await new Promise((resolve) => (settle = resolve));
  return agreed ? Object.fromEntries(inputs.map(({ name, input }) => [name, input.value])) : undefined;
}

async function act(name, body, done) {
  try {
    toast(done(await post(name, body)));
  } catch (error) {
    toast(error.message);
  }
  const at = document.activeElement;
  if (at?.matches("button")) at.blur(); // a list in which something has the focus is not drawn anew
}

// whom is the field that says what of a connection is meant, and meant what was chosen.
const whom = (c, by) => ["by", "Whom", by, "select", [
  ["conn", `the connection ${c.id}`], c.session && ["session", `the session ${c.session}`], c.user && ["user", `the user ${c.user}`],
].filter(Boolean)];
const meant = (c, by) => ({ [by]: { conn: c.id, session: c.session, user: c.user }[by] });

export async function disconnect(target, what) {
  const said = await ask("Disconnect", `This closes ${what}, on every node. Clients are told not to come back by themselves, unless the code says otherwise.`, "Disconnect",
    [["code", "Close code", "4102"], ["reason", "Reason"]]);
  if (!said) return;
  await act("disconnect", { ...target, code: Number(said.code) || 0, reason: said.reason },
    (d) => `${d.total} ${d.total === 1 ? "connection" : "connections"} closed${d.silent ? `; silent: ${d.silent.join(", ")}` : ""}`);
}

export async function remove(c, room) {
  const said = await ask("Remove from room", `This takes connections out of ${room}, on every node. Their clients may ask to join again.`, "Remove",
    [whom(c, c.user ? "user" : "conn"), ["reason", "Reason"]]);
  if (said) await act("remove", { ...meant(c, said.by), room, reason: said.reason }, () => `removed from ${room}`);
}

// parsed is the JSON that was typed, or undefined if it is none.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    toast("that is no JSON; nothing was sent");
    return undefined;
  }
}

export async function send(c) {
  const said = await ask("Send", "Every connection that is meant is sent this, on every node, in the service's name.", "Send",
    [whom(c, "conn"), ["data", "JSON", "", "textarea"]]);
  const data = said && parsed(said.data);
  if (data !== undefined) await act("send", { ...meant(c, said.by), data }, () => "sent");
}

export async function publish(room) {
  const said = await ask("Publish", `Every member of ${room} is sent this, in the service's name.`, "Publish", [["data", "JSON", "", "textarea"]]);
  const data = said && parsed(said.data);
  if (data !== undefined) await act("publish", { room, data }, () => "published");
}

export async function drain(node) {
  const said = await ask("Drain", `The node ${node} sends its connections away and ends. Nothing here starts it again.`, "Drain");
  if (said) await act("drain", { node }, () => `${node} is draining`);
}
