import { callBody } from "../call.ts";
import { Connection } from "./connection.ts";
import type { Paced, PacedServed } from "./job.ts";
import { nth } from "./measure.ts";
import { inPace, PACED_CONNECTIONS } from "./paced.ts";
import { checkAnswers, SealedSessions, type Held } from "./sealed-sessions.ts";
import type { Prepared } from "./sealing.ts";

/** As `paced`, with calls that are sealed before the first is due, and answers that are opened after the last. */
export async function pacedSealed(load: Paced): Promise<PacedServed> {
  const { port, tokens, tools, perSecond, warmMs, measureMs } = load;
  const sessions = await SealedSessions.open(port, tokens, PACED_CONNECTIONS);
  const prepared: Prepared[] = [];
  const count = Math.floor(((warmMs + measureMs) * perSecond) / 1000);
  for (let number = 1; number <= count; number += 1)
    prepared.push(await sessions.call(number, callBody(number, nth(tools, number))));
  const connections = await Promise.all(Array.from({ length: PACED_CONNECTIONS }, () => Connection.open(port)));
  const held: Held[] = [];
  // Any connection may be the one that is free, so it carries a call of any session.
  const served = await inPace(load, connections, async (connection, number) => {
    const made = prepared[number - 1];
    if (made === undefined) throw new Error("more calls are due than were sealed");
    held.push({ made, answer: await connection.exchange(made.request) });
  });
  for (const connection of connections) connection.close();
  await checkAnswers(held);
  await sessions.close();
  return served;
}
