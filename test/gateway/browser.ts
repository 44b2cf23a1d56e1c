/** Content types that a page may send unasked (Fetch standard, "CORS-safelisted request-header"). */
const PLAIN_TYPES = /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)(?:;|$)/i;
const PLAIN_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);
/** Headers of an answer that a page may always read ("CORS-safelisted response-header name"). */
const READABLE: ReadonlySet<string> = new Set([
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "expires",
  "last-modified",
  "pragma",
]);

function listOf(headers: Headers, name: string): readonly string[] {
  return (headers.get(name) ?? "").split(",").map((item) => item.trim());
}

function namesToAskFor(headers: Headers): string[] {
  const names = [...headers.keys()].filter(
    (name) => !["accept", "accept-language", "content-language", "content-type"].includes(name),
  );
  const type = headers.get("content-type");
  return (type === null || PLAIN_TYPES.test(type) ? names : [...names, "content-type"]).toSorted();
}

/**
 * `fetch` as a browser has it for a page of `origin`, without credentials: it asks first where the CORS protocol says so, and hides what
 * the answer does not share (Fetch standard, sections 3.3 and 4.9). Node's own `fetch` does neither.
 * @throws TypeError as a browser does, when the page may not send the request or read the answer
 */
export function browserFetch(origin: string): (url: string | URL, init?: RequestInit) => Promise<Response> {
  const shared = ({ headers }: Response): boolean =>
    ["*", origin].includes(headers.get("access-control-allow-origin") ?? "");

  async function mayAsk(url: string | URL, method: string, names: readonly string[]): Promise<void> {
    const asking = {
      origin,
      "access-control-request-method": method,
      ...(names.length === 0 ? {} : { "access-control-request-headers": names.join(",") }),
    };
    const answer = await fetch(url, { method: "OPTIONS", headers: asking });
    await answer.body?.cancel();
    if (!answer.ok || !shared(answer)) throw new TypeError(`the preflight of ${method} was answered ${answer.status}`);
    if (!PLAIN_METHODS.has(method) && !listOf(answer.headers, "access-control-allow-methods").includes(method))
      throw new TypeError(`${method} is not allowed`);
    const allowed = listOf(answer.headers, "access-control-allow-headers").map((name) => name.toLowerCase());
    const refused = names.find((name) => !allowed.includes(name));
    if (refused !== undefined) throw new TypeError(`the header ${refused} is not allowed`);
  }

  return async (url, init = {}) => {
    const headers = new Headers(init.headers);
    const method = init.method ?? "GET";
    const names = namesToAskFor(headers);
    if (!PLAIN_METHODS.has(method) || names.length > 0) await mayAsk(url, method, names);
    headers.set("origin", origin);
    const answer = await fetch(url, { ...init, headers });
    if (!shared(answer)) {
      await answer.body?.cancel();
      throw new TypeError(`the answer ${answer.status} is not the page's to read`);
    }
    const exposed = listOf(answer.headers, "access-control-expose-headers").map((name) => name.toLowerCase());
    const visible = [...answer.headers].filter(([name]) => READABLE.has(name) || exposed.includes(name));
    return new Response(answer.body, { status: answer.status, headers: visible });
  };
}
