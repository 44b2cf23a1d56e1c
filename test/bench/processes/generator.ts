/** The load generator: one process for both sides, told what to do line by line. */
import { abandon } from "../load/abandon.ts";
import { burst } from "../load/burst.ts";
import { crowd } from "../load/crowd.ts";
import { fill } from "../load/fill.ts";
import type { Order } from "../load/job.ts";
import { list } from "../load/list.ts";
import { measure } from "../load/measure.ts";
import { paced } from "../load/paced.ts";
import { measureSealed } from "../load/sealed.ts";
import { pacedSealed } from "../load/paced-sealed.ts";
import { sizeSealed } from "../load/size-sealed.ts";
import { hold, readInTurn, readTogether, release } from "../load/streams.ts";
import { answer } from "./parent.ts";

function carryOut(order: Order): Promise<object> {
  switch (order.kind) {
    case "measure":
      return measure(order);
    case "measure-sealed":
      return measureSealed(order);
    case "size-sealed":
      return sizeSealed(order);
    case "paced-sealed":
      return pacedSealed(order);
    case "paced":
      return paced(order);
    case "fill":
      return fill(order);
    case "burst":
      return burst(order);
    case "list":
      return list(order);
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
