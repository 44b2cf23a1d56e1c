/** Witnesses of the C2SP tlog-witness protocol over HTTP, honest unless told otherwise. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { fromBase64, fromBase64Url } from "@cmcp/boundary";
import {
  cosignedMessage,
  formatCosignature,
  formatVerifierKey,
  isConsistent,
  parseCheckpoint,
  parseNote,
  sha256,
  SIGNATURE_TYPE,
  verifierKey,
  type TreeHead,
  type VerifierKey,
} from "@cmcp/log";

/** What a request asks for. */
export interface Request {
  readonly old: number;
  readonly proof: readonly Uint8Array[];
  /** The checkpoint's text. */
  readonly text: string;
}

/** Answers a request; `honest` is what a witness that keeps to the protocol does. */
export type Behaviour = (
  request: Request,
  response: ServerResponse,
  honest: () => Promise<void>,
) => Promise<void> | void;

/** One witness. */
export class TestWitness {
  readonly key: VerifierKey;
  /** Requests, in their order. */
  readonly requests: Request[] = [];
  behaviour: Behaviour = (_request, _response, honest) => honest();
  /** The head that it cosigned last. */
  head: TreeHead = { size: 0, root: sha256(new Uint8Array()) };
  /** Its clock, in seconds since 1970. */
  time = 1_764_000_000;
  readonly #privateKey: KeyObject;
  readonly #server: Server;

  private constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    const bytes = fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? new Uint8Array();
    this.key = verifierKey(name, SIGNATURE_TYPE.cosignature, bytes);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** A witness that listens until the test ends. */
  static async start(test: TestContext, name: string): Promise<TestWitness> {
    const witness = new TestWitness(name);
    witness.#server.listen(0, "127.0.0.1");
    await once(witness.#server, "listening");
    test.after(() => witness.stop());
    return witness;
  }

  /** Stops listening, and ends every request. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Its line of a witness policy. */
  line(name: string): string {
    return `witness ${name} ${formatVerifierKey(this.key)} ${this.url}\n`;
  }

  /** Its signature line over a text. */
  cosign(text: string, time = this.time): string {
    return formatCosignature(this.key, { time, signature: sign(null, cosignedMessage(text, time), this.#privateKey) });
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const request = requestOf(Buffer.concat(chunks).toString("utf8"));
    this.requests.push(request);
    await this.behaviour(request, response, () => this.#answer(request, response));
  }

  async #answer({ old, proof, text }: Request, response: ServerResponse): Promise<void> {
    const { size, root } = parseCheckpoint(text);
    if (old !== this.head.size) {
      response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${this.head.size}\n`);
    } else if (await isConsistent(this.head, { size, root }, proof, sha256)) {
      this.head = { size, root };
      response.writeHead(200).end(this.cosign(text));
    } else {
      response.writeHead(422).end();
    }
  }
}

function requestOf(body: string): Request {
  const end = body.indexOf("\n\n");
  const [first = "", ...lines] = body.slice(0, end).split("\n");
  const [, old] = /^old (\d+)$/.exec(first) ?? [];
  if (old === undefined) throw new Error(`not a submission: ${body}`);
  const proof = lines.map((line) => fromBase64(line) ?? new Uint8Array());
  return { old: Number(old), proof, text: parseNote(body.slice(end + 2)).text };
}
