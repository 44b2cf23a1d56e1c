import { connect } from "node:net";
import { createInterface } from "node:readline";
import { once } from "node:events";

/** Asks a probed process one thing. */
export async function askProbe<T>(socket: string, question: "heap" | "profile" | "stop"): Promise<T> {
  const stream = connect(socket);
  await once(stream, "connect");
  stream.write(`${question}\n`);
  const [line] = (await once(createInterface({ input: stream }), "line")) as [string];
  stream.destroy();
  return JSON.parse(line) as T;
}
