import { CmcpError } from "@cmcp/boundary";
import type { Review } from "./entries.ts";

/** `TOOL:domain=…`, `TOOL:sensitivity=…`, `TOOL:baa=true|false`; the tool's name may hold colons itself. */
const SETTING = /^(.+):(domain|sensitivity|baa)=(.+)$/;

/** The review of every tool: what holds for all, and what `--set` says of one. @throws CmcpError `USAGE` */
export function readReviews(forAll: Review, settings: readonly string[], tools: ReadonlySet<string>): (tool: string) => Review {
  const single = new Map<string, Review>();
  for (const setting of settings) {
    const [, tool = "", key = "", value = ""] = SETTING.exec(setting) ?? [];
    if (!tools.has(tool)) throw new CmcpError("USAGE", `--set is TOOL:domain=…, TOOL:sensitivity=… or TOOL:baa=true|false, for a tool that is imported: ${JSON.stringify(setting)}`);
    if (key === "baa" && value !== "true" && value !== "false") throw new CmcpError("USAGE", "baa is true or false");
    const changed = key === "baa" ? { requiresBaa: value === "true" } : { [key]: value };
    single.set(tool, { ...(single.get(tool) ?? forAll), ...changed });
  }
  return (tool) => single.get(tool) ?? forAll;
}
