/** The exchange that `vectors/exchange.json` has, once for each suite: every input that is not random. */
import { latin1 } from "../bytes.ts";
import { padStream } from "../binary-http/padding.ts";
import { encodeRequest, streamResponse } from "../binary-http/write.ts";
import { streamOf } from "./streams.ts";

/** One suite of the file; all in lowercase hex but the id. */
export interface OwnExchange {
  readonly suite: "x-wing" | "x25519";
  readonly key_id: number;
  readonly private_key: string;
  readonly key_configurations: string;
  /** For X25519 alone: with X-Wing the platform draws the sender's randomness. */
  readonly ephemeral_private_key?: string;
  readonly request: string;
  readonly encapsulated_request: string;
  readonly response: string;
  readonly response_nonce: string;
  readonly encapsulated_response: string;
}

/** The request as one piece. */
export const OWN_REQUEST = encodeRequest(
  {
    method: "POST",
    scheme: "https",
    authority: "gateway.example",
    path: "/mcp",
    fields: [
      { name: "authorization", value: "Bearer example" },
      { name: "content-type", value: "application/json" },
    ],
  },
  { content: latin1('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') },
);

/** The response in the pieces that it is written in, padding included. */
export const ownResponse = (): AsyncIterable<Uint8Array> =>
  padStream(
    streamResponse(
      { informational: [], status: 200, fields: [{ name: "content-type", value: "text/event-stream" }] },
      {
        content: streamOf(
          latin1('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'),
          latin1('data: {"jsonrpc":"2.0","id":1,"result":{"tools":[]}}\n\n'),
        ),
      },
    ),
  );
