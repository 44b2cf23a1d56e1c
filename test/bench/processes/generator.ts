/** The load generator: one process for both sides, told what to do line by line. */
import { abandon } from "../load/abandon.ts";
import { crowd } from "../load/crowd.ts";
import type { Order } from "../load/job.ts";
import { measure } from "../load/measure.ts";
import { hold, readInTurn, readTogether, release } from "../load/streams.ts";
import { answer } from "./parent.ts";

function carryOut(order: Order): Promise<object> {
  switch (order.kind) {
    case "measure":
      return measure(order);
    case "abandon":
      return abandon(order);
    case "crowd":
      return crowd(order);
    case "read":
      return readInTurn(order);
    case "together":
      return readTogether(order);
    case "hold":
      return hold(order);
    case "release":
      return release();
  }
}

await answer(async (question) => {
  try {
    return { ok: true, ...(await carryOut(question as Order)) };
  } catch (thrown) {
    return { ok: false, why: thrown instanceof Error ? thrown.message : "the load failed" };
  }
});
