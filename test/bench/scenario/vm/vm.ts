import { attempt, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { boots } from "./boot.ts";
import { building, initramfs } from "./image.ts";
import { latency } from "./latency.ts";
import { withImage } from "./machine.ts";

/** The image and a machine that runs it under emulation. What cannot be measured here has a row that says so. */
export async function vm(bench: Bench): Promise<readonly Row[]> {
  return await withImage("the image in a machine", async () => [
    ...initramfs(),
    ...(await attempt("starting the image", () => boots(bench))),
    ...(await attempt("calls through a machine", () => latency(bench))),
    ...(await attempt("building the image", () => building(bench))),
  ]);
}
