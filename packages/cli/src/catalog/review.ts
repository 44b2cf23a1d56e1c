import { CmcpError } from "@cmcp/boundary";
import type { Review } from "./entries.ts";

/** `NAME:domain=…`, `NAME:sensitivity=…`, `NAME:baa=true|false`; a name may hold colons itself. */
const SETTING = /^(.+):(domain|sensitivity|baa)=(.+)$/;

/** The review of each: what holds for all, and what `--set` says of one. @throws CmcpError `USAGE` */
export function readReviews(
  forAll: Review,
  settings: readonly string[],
  names: ReadonlySet<string>,
): (name: string) => Review {
  const single = new Map<string, Review>();
  for (const setting of settings) {
    const [, name = "", key = "", value = ""] = SETTING.exec(setting) ?? [];
    if (!names.has(name))
      throw new CmcpError(
        "USAGE",
        "--set is NAME:domain=…, NAME:sensitivity=… or NAME:baa=true|false, for something that is imported: " +
          JSON.stringify(setting),
      );
    if (key === "baa" && value !== "true" && value !== "false") throw new CmcpError("USAGE", "baa is true or false");
    const changed = key === "baa" ? { requiresBaa: value === "true" } : { [key]: value };
    single.set(name, { ...(single.get(name) ?? forAll), ...changed });
  }
  return (name) => single.get(name) ?? forAll;
}
