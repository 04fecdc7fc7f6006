// Asks the server, and says what went wrong in words.

const tokenKey = "gru4rec.token";
let tokenInMemory = ""; // where the browser keeps nothing

export function setToken(token) {
  tokenInMemory = token;
  try {
    sessionStorage.setItem(tokenKey, token);
  } catch {
    // It lasts as long as the page.
  }
}

function token() {
  try {
    return sessionStorage.getItem(tokenKey) ?? tokenInMemory;
  } catch {
    return tokenInMemory;
  }
}

export const hasToken = () => token() !== "";

/** Why there is no answer. `status` is 0 if the server could not be reached. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function failureOf(response) {
  let message = "";
  try {
    message = (await response.json()).error.message;
  } catch {
    // Not the server itself: a proxy before it, perhaps.
  }
  const known = {
    401: "The server does not take this token.",
    404: "The server does not have this; it may be of another version than this page. Load the page again.",
    503: "The server is busy, or it is being stopped.",
  };
  const words = known[response.status] ?? `The server refuses the request (status ${response.status}).`;
  return new Failure(response.status, message ? `${words} It says: ${message}` : words);
}

/** @returns {text, milliseconds}: the body of the answer and the time from the question to its last byte */
async function ask(path, body) {
  const headers = {};
  if (token()) {
    headers.Authorization = `Bearer ${token()}`;
  }
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const begin = performance.now();
  let response;
  let text;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(15_000),
    });
    if (response.ok) {
      text = await response.text();
    }
  } catch (error) {
    throw new Failure(0, error.name === "TimeoutError"
      ? "The server did not answer within 15 seconds."
      : "The server cannot be reached. It may have been stopped, or the network is down.");
  }
  if (!response.ok) {
    throw await failureOf(response);
  }
  return { text, milliseconds: performance.now() - begin };
}

async function askForJson(path, body) {
  const { text, milliseconds } = await ask(path, body);
  try {
    return { ...JSON.parse(text), milliseconds };
  } catch {
    throw new Failure(0, "What answered is not JSON. Is there something else between this page and the server?");
  }
}

export const search = (text, n) => askForJson(`v1/items?${new URLSearchParams({ search: text, n })}`);

export const recommend = (session, n, exclude) =>
  askForJson("v1/recommend", exclude.length > 0 ? { session, n, exclude } : { session, n });

export const ready = () => askForJson("readyz");

export const metrics = async () => (await ask("metrics")).text;
