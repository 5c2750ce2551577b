// The JSON API, by URLs relative to the page.

// get asks for something. Empty parameters are left out. It throws an Error with the server's message.
export async function get(name, params = {}, signal) {
  const query = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== "" && v !== undefined));
  return read(await fetch(`api/${name}${query.size > 0 ? `?${query}` : ""}`, { signal, cache: "no-store" }));
}

// post does something.
export async function post(name, body) {
  return read(await fetch(`api/${name}`, {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-Hubkit-Dash": "1" },
  }));
}

async function read(response) {
  let body;
  try {
    body = await response.json();
  } catch {
    throw new Error(`the server answered with ${response.status}`);
  }
  if (!response.ok) throw new Error(body.error?.message ?? `the server answered with ${response.status}`);
  return body;
}

// tailURL is for a room or a connection, by which of the two it is.
export const tailURL = (by, name) => `api/tail?${by}=${encodeURIComponent(name)}`;
