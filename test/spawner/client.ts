import { examine } from "@cmcp/boundary";
import type { StdioChannel } from "@cmcp/spawner";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";

/** A channel as the official SDK wants a transport. */
function transportOver(channel: StdioChannel): Transport {
  const transport: Transport = {
    start: async () => {
      channel.onMessage((message) =>
        transport.onmessage?.(JSON.parse(Buffer.from(examine(message)).toString("utf8")) as JSONRPCMessage),
      );
      void channel.closed.then(() => transport.onclose?.());
    },
    send: (message) => channel.send(Buffer.from(JSON.stringify(message)), new AbortController().signal),
    close: () => channel.close(),
  };
  return transport;
}

/** The official client over a channel, past its handshake. */
export async function connectClient(channel: StdioChannel): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transportOver(channel));
  return client;
}
