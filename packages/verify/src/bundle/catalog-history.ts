import { callDetailSchema, catalogLoadDetailSchema, rootDetailSchema } from "@cmcp/audit/schema";
import { LoadHistoryFold, type LoadHistory, type LoadKind } from "./load-history.ts";

/** Which catalogs a session ran under, by its own entries. */
export type CatalogHistory = LoadHistory<number>;

/** A call names its catalog where the launch document lets the catalog change. */
const CATALOGS: LoadKind<number> = {
  name: "catalog",
  plural: "catalogs",
  loads: "catalog_load",
  start: ({ detail }) => {
    const root = rootDetailSchema.safeParse(detail).data;
    return root === undefined ? null : { hash: root.catalog_hash, version: null };
  },
  load: ({ detail }) => {
    const load = catalogLoadDetailSchema.safeParse(detail).data;
    return load === undefined
      ? null
      : { hash: load.catalog_hash, version: load.catalog_version, previous: load.previous_catalog_hash };
  },
  named: ({ entry_type: type, detail }) => {
    if (type !== "tool_call" || detail?.["catalog_hash"] === undefined) return null;
    return callDetailSchema.safeParse(detail).data?.catalog_hash ?? "";
  },
  rootIsDefault: true,
  problem: (next, before) =>
    next !== null && before !== null && next <= before ? "loads a catalog whose version is not higher" : null,
};

/** Follows the catalogs of a session. */
export class CatalogHistoryFold extends LoadHistoryFold<number> {
  constructor() {
    super(CATALOGS);
  }
}
