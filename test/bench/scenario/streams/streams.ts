import { attempt, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { concurrent } from "./concurrent.ts";
import { manySessions } from "./crowd.ts";
import { firstByte } from "./first-byte.ts";
import { idleSessions, openStreams } from "./held-memory.ts";

/** Streamed results, many sessions, many servers. */
export async function streams(bench: Bench): Promise<readonly Row[]> {
  return [
    ...(await attempt("first byte of a streamed result", () => firstByte(bench))),
    ...(await attempt("concurrent streams", () => concurrent(bench))),
    ...(await attempt("memory of idle sessions", () => idleSessions(bench))),
    ...(await attempt("memory of open streams", () => openStreams(bench))),
    ...(await attempt("many sessions, many upstreams", () => manySessions(bench))),
  ];
}
