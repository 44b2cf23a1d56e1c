import { Agent, request } from "undici";

/** A person's browser: it keeps cookies, follows redirects, and shows what it came to. */
export class ConsentingBrowser {
  readonly #cookies = new Map<string, Map<string, string>>();
  readonly #agent = new Agent({ connect: { rejectUnauthorized: false } });
  /** Every address it was at, in order. */
  readonly visited: string[] = [];

  /** Opens a link. @returns status and text of the page that it ends at */
  async open(link: string): Promise<{ readonly status: number; readonly text: string }> {
    let url = new URL(link);
    for (let step = 0; step < 20; step += 1) {
      this.visited.push(url.href);
      const jar = this.#cookies.get(url.host) ?? new Map<string, string>();
      this.#cookies.set(url.host, jar);
      const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join("; ");
      const answer = await request(url, { dispatcher: this.#agent, headers: cookie === "" ? {} : { cookie } });
      for (const set of [answer.headers["set-cookie"] ?? []].flat()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
        jar.set(name, value);
      }
      const text = await answer.body.text();
      const { location } = answer.headers;
      if (answer.statusCode < 300 || answer.statusCode > 399 || typeof location !== "string")
        return { status: answer.statusCode, text };
      url = new URL(location, url);
    }
    throw new Error("the browser is sent round in circles");
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}
