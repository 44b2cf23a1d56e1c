import type { JsonObject } from "@cmcp/boundary";
import { findContent, loadDetectors, stringLeaves } from "@cmcp/findings";
import { FlowKey, FlowTable } from "@cmcp/flows";
import { figure, type Row } from "../report/row.ts";
import { microseconds } from "./timing.ts";

/** Text of one measured result: sentences that differ, as records do. */
function textOf(bytes: number): string {
  const text = Array.from({ length: 200 }, (_, at) => `Order ${4711 + at * 37} went to desk ${at % 23} on day ${at}.`);
  return text.join(" ").slice(0, bytes);
}

/**
 * What looking at content costs a 2 KB call, where rules ask for it. Detectors read arguments and result. The
 * session's table of flows takes the result, and arguments are looked up there.
 */
export async function contentStages(milliseconds: number): Promise<Row[]> {
  const detectors = await loadDetectors();
  const args: JsonObject = { text: textOf(2_000), note: "2 KB" };
  const result: JsonObject = { content: [{ type: "text", text: textOf(2_000).toUpperCase() }] };
  const source = { server: "bench", tool: "echo_text", labels: ["pii"] };
  const table = new FlowTable(new FlowKey());
  const list: readonly (readonly [string, () => unknown])[] = [
    ["findings", () => [findContent(stringLeaves(args), detectors), findContent(stringLeaves(result), detectors)]],
    ["flows", () => [table.add(source, result, { note: "2 KB" }), table.match(args)]],
  ];
  const rows: Row[] = [];
  for (const [name, work] of list)
    rows.push(
      figure(name, await microseconds(work, milliseconds), "µs", "of arguments and result, where a rule reads them"),
    );
  return rows;
}
