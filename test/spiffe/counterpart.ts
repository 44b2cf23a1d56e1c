/** The counterpart of test/spiffe/go: trust domains and workloads over the SPIFFE project's own library in Go. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isJsonObject, parseJsonText, type JsonObject } from "@cmcp/boundary";

const PROGRAM = fileURLToPath(new URL("../../.cache/go/bin/spiffe", import.meta.url));
const LIBRARY = new URL("../../.cache/go/mod/github.com/spiffe/go-spiffe/v2@v2.9.0/", import.meta.url);
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 16, maxItems: 10_000 };

/** Why the tests against the counterpart are skipped. */
export const NO_COUNTERPART = "needs a program in Go: sh test/spiffe/install.sh";

/** Whether the counterpart is there. */
export function hasCounterpart(): boolean {
  return existsSync(PROGRAM);
}

/** A file of the library's own tests: what the SPIFFE project publishes as right and wrong. */
export async function published(path: string): Promise<string> {
  return await readFile(new URL(path, LIBRARY), "utf8");
}

/** How a workload's certificate is to be made; each right by default but for its URIs. */
export interface WorkloadCertificate {
  readonly uris: readonly string[];
  readonly ca?: boolean;
  /** Bits of Go's `x509.KeyUsage`: 1 signs, 32 signs certificates, 64 lists of revoked ones. */
  readonly usage?: number;
  readonly expired?: boolean;
  /** For clients alone. */
  readonly client?: boolean;
  /** By an authority between the root and the workload. */
  readonly via?: boolean;
}

/** A running counterpart. */
export class Counterpart {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor() {
    this.#child = spawn(PROGRAM);
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** One question after the other. */
  async #ask(question: object): Promise<JsonObject> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    const answer = done === true ? null : parseJsonText(value, LIMITS);
    if (!isJsonObject(answer)) throw new Error("the counterpart has ended");
    return answer;
  }

  async #text(question: object): Promise<string> {
    const { text, error } = await this.#ask(question);
    if (typeof text !== "string") throw new Error(`the counterpart refuses: ${JSON.stringify(error)}`);
    return text;
  }

  /** Makes a trust domain. @returns its bundle, as the library writes it */
  async domain(domain: string): Promise<JsonObject> {
    const bundle = parseJsonText(await this.#text({ do: "domain", domain }), LIMITS);
    if (!isJsonObject(bundle)) throw new Error("the bundle is not an object");
    return bundle;
  }

  /** A token that the trust domain's authority signs. */
  async token(
    domain: string,
    claims: object,
    { kid = "first", ...header }: { kid?: string; typ?: string } = {},
  ): Promise<string> {
    return await this.#text({ do: "jwt", domain, claims, kid, header });
  }

  /** The trust domain and the path of a SPIFFE ID as the library reads it; `null` if it does not. */
  async id(text: string): Promise<string | null> {
    const { text: read, error } = await this.#ask({ do: "id", text });
    return error === undefined && typeof read === "string" ? read : null;
  }

  /** Whether the library takes a token for a JWT-SVID of the trust domain. */
  async acceptsToken(domain: string, text: string, audience: string): Promise<boolean> {
    return (await this.#ask({ do: "parse-jwt", domain, text, audience })).error === undefined;
  }

  /** Whether the library takes a text for a bundle of the trust domain. */
  async acceptsBundle(domain: string, text: string): Promise<boolean> {
    return (await this.#ask({ do: "parse-bundle", domain, text })).error === undefined;
  }

  /** Ends TLS as a workload of the trust domain in front of a server on this machine. @returns the port */
  async serve(domain: string, target: number, certificate: WorkloadCertificate): Promise<number> {
    const { port, error } = await this.#ask({
      do: "serve",
      domain,
      target: `127.0.0.1:${target}`,
      usage: 1,
      ...certificate,
    });
    if (typeof port !== "number") throw new Error(`the counterpart does not serve: ${JSON.stringify(error)}`);
    return port;
  }

  async close(): Promise<void> {
    this.#reader.close();
    if (this.#child.exitCode !== null) return;
    const ended = Promise.withResolvers<void>();
    this.#child.once("exit", () => ended.resolve());
    this.#child.kill();
    await ended.promise;
  }
}
