import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { readMessage } from "../jsonrpc/message.ts";
import type { MessageChannel, OpenChannel, Receiver } from "../upstream/channel/channel.ts";

/** What the server at the other end does with a message: `null` for nothing. */
export type Answering = (message: JsonObject) => JsonObject | null;

/** The answer to `initialize`, and an empty result to every other request that `answering` leaves alone. */
export function initialized(capabilities: JsonObject = {}, answering: Answering = () => ({})): Answering {
  return (message) =>
    message.method === "initialize"
      ? { protocolVersion: "2025-11-25", capabilities, serverInfo: { name: "scripted", version: "1" } }
      : answering(message);
}

/** A connection whose other end the test plays. */
export class ScriptedChannel implements MessageChannel {
  readonly sent: JsonObject[] = [];
  readonly closed: Promise<CmcpError>;
  /** False: what is sent stays where it is, until it is given up. */
  reads = true;
  readonly #receiver: Receiver;
  readonly #answering: Answering;
  #end: (why: CmcpError) => void = () => undefined;

  constructor(receiver: Receiver, answering: Answering = () => null) {
    this.#receiver = receiver;
    this.#answering = answering;
    this.closed = new Promise((resolve) => (this.#end = resolve));
  }

  async send(text: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const message = JSON.parse(text) as JsonObject;
    this.sent.push(message);
    if (!this.reads) {
      await Promise.race([
        this.closed,
        new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
      ]);
      throw new CmcpError("REQUEST_CANCELLED", "given up", { detail: { sent: 1 } });
    }
    const result = message.id === undefined || message.method === undefined ? null : this.#answering(message);
    if (result !== null) void Promise.resolve().then(() => this.say({ id: message.id ?? null, result }));
  }

  async say(message: JsonObject): Promise<void> {
    await this.#receiver.received(readMessage({ jsonrpc: "2.0", ...message }));
  }

  async close(): Promise<void> {
    this.end();
  }

  end(): void {
    this.#end(new CmcpError("UPSTREAM_UNAVAILABLE", "the server has ended"));
  }

  /** URIs of what was sent with that method, in order. */
  uris(method: string): unknown[] {
    return this.sent.filter((message) => message.method === method).map(({ params }) => (params as JsonObject).uri);
  }
}

/** Opens {@link ScriptedChannel}s, which `opened` gets. */
export function scripted(opened: ScriptedChannel[], answering: Answering): OpenChannel {
  return async (receiver) => {
    const channel = new ScriptedChannel(receiver, answering);
    opened.push(channel);
    return channel;
  };
}
