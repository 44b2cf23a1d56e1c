import type { Order } from "../load/job.ts";
import type { Child } from "../processes/child.ts";

type Reply<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly why: string };

/** Has the generator do something. @throws Error when a call failed: then there is no figure */
export async function order<T>(generator: Child, what: Order): Promise<T> {
  const reply = await generator.ask<Reply<T>>(what);
  if (!reply.ok) throw new Error(reply.why);
  return reply;
}
