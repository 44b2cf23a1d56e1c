import { examine } from "@cmcp/boundary";
import type { StdioChannel } from "@cmcp/spawner";

/** Collects a channel's lines as text, and waits for them. */
export class Lines {
  readonly all: string[] = [];
  #wake: () => void = () => undefined;
  #over = false;

  constructor(channel: StdioChannel) {
    channel.onMessage((message) => {
      this.all.push(Buffer.from(examine(message)).toString("utf8"));
      this.#wake();
    });
    void channel.closed.then(() => {
      this.#over = true;
      this.#wake();
    });
  }

  /** The first line that `wanted` accepts; fails when the channel ends without one. */
  async until(wanted: (line: string) => boolean): Promise<string> {
    for (;;) {
      const line = this.all.find(wanted);
      if (line !== undefined) return line;
      if (this.#over) throw new Error(`the server ended; it had said:\n${this.all.join("\n")}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Everything up to the end. */
  async rest(channel: StdioChannel): Promise<readonly string[]> {
    await channel.closed;
    return this.all;
  }
}
