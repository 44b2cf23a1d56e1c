/** The load generator: one process for both sides, told what to do line by line. */
import { abandon } from "../load/abandon.ts";
import type { Order } from "../load/job.ts";
import { measure } from "../load/measure.ts";
import { answer } from "./parent.ts";

await answer(async (question) => {
  const order = question as Order;
  try {
    return { ok: true, ...(order.kind === "measure" ? await measure(order) : await abandon(order)) };
  } catch (thrown) {
    return { ok: false, why: thrown instanceof Error ? thrown.message : "the load failed" };
  }
});
