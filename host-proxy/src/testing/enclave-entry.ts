// A wire peer to be bundled and started by the launcher, in place of the enclave. It decides nothing either.
import { CmcpError, examine } from "@cmcp/boundary";
import { encodeBatch, ExchangePool, listenUnix, serveStream, unixDialer, type IncomingExchange } from "@cmcp/wire";

const pool = new ExchangePool(unixDialer(process.env["CMCP_HOST_SERVICES"] ?? ""), { maxStreams: 4 });
const received: Record<string, string> = {};
let appended = 0;
/** Reloads it still has no report for; how many is what it is provisioned with. */
let unreported = 0;
/** Sessions it will say it could not close; as many as it is provisioned with. */
let unclosed = 0;

async function answer(exchange: IncomingExchange, text: string): Promise<void> {
  await exchange.respond({ status: 200, headers: { "content-type": "application/json" } });
  await exchange.write(Buffer.from(text));
  await exchange.end();
}

async function accept(exchange: IncomingExchange): Promise<void> {
  const { opening } = exchange;
  const chunks: Uint8Array[] = [];
  for await (const part of exchange.body) chunks.push(examine(part));
  const body = Buffer.concat(chunks).toString();
  if (opening.t !== "request") {
    if (body === "bad" || (opening.t === "drain" && received["provision"] === "refuse to drain"))
      throw Object.assign(new Error(), { name: "refused" });
    if (opening.t === "provision") unreported = Number(/^refuse (\d+)/.exec(body)?.[1] ?? 0);
    if (opening.t === "reload" && unreported > 0) {
      unreported -= 1;
      throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "not now");
    }
    if (opening.t === "provision") unclosed = Number(/^leave (\d+) sessions/.exec(body)?.[1] ?? 0);
    received[opening.t] = body;
    return await answer(exchange, opening.t === "drain" ? `{"unclosed_sessions":${unclosed}}\n` : "{}");
  }
  if (body === "hang") {
    process.stdout.write("hanging\n");
    return await new Promise(() => undefined);
  }
  if (body === "append") {
    const leaf = Buffer.from(`${process.pid} ${appended}`);
    const stored = await pool.open({ t: "append", first: appended });
    appended += 1;
    await stored.write(
      encodeBatch({ note: "note", records: [{ session: "s", kind: "k", leaf, body: Buffer.from("record") }] }),
    );
    await stored.end();
    await stored.head;
  }
  return await answer(
    exchange,
    JSON.stringify({ received, environment: Object.keys(process.env).sort(), pid: process.pid }),
  );
}

void listenUnix(process.env["CMCP_ENCLAVE_LISTEN"] ?? "", (stream) => serveStream(stream, accept));
