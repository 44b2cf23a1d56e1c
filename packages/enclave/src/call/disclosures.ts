import type { Approver, DisclosurePermission, RecordedPermission } from "@cmcp/approval";
import { CmcpError } from "@cmcp/boundary";

/** Most permissions of one owner, for one agent's principal, and of all. */
export const MAX_OF_OWNER = 64;
export const MAX_OF_WORKLOAD = 32;
const MAX_PERMISSIONS = 1_024;

/** A permission whose owner signed it. */
export interface GivenPermission {
  readonly signed: RecordedPermission;
  /** Salt of the bytes, base64url. It is in no record. */
  readonly salt: string;
  readonly owner: Approver;
}

interface Stored extends GivenPermission {
  /** `recording`: its entry is on its way into the record. */
  state: "recording" | "waiting" | "used";
}

/** How a permission stands that has not expired. */
export type PermissionState = Stored["state"];

/** Owners' permissions of this instance, used ones until they expire. They are in memory alone, and of no other instance. */
export class Disclosures {
  readonly #now: () => number;
  readonly #byId = new Map<string, Stored>();

  /** @param now milliseconds since the epoch, of a clock that never runs backwards */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes a place for a permission, before it is recorded. @throws CmcpError `DISCLOSURE_PERMISSION_REPLAYED`, `OVERLOADED` */
  begin(given: GivenPermission): void {
    this.#expire();
    const { request_id: id, principal, workload } = given.signed.permission;
    if (this.#byId.has(id))
      throw new CmcpError("DISCLOSURE_PERMISSION_REPLAYED", "a permission with this request_id was given before");
    const all = [...this.#byId.values()].map(({ signed: { permission } }) => permission);
    const ofOwner = all.filter((one) => one.principal === principal).length;
    const ofWorkload = all.filter((one) => one.workload === workload).length;
    if (all.length >= MAX_PERMISSIONS || ofOwner >= MAX_OF_OWNER || ofWorkload >= MAX_OF_WORKLOAD)
      throw new CmcpError("OVERLOADED", "too many permissions have not expired");
    this.#byId.set(id, { ...given, state: "recording" });
  }

  /** From here on the permission counts. @returns whether it has not expired since */
  settle({ request_id: id }: DisclosurePermission): boolean {
    this.#expire();
    const stored = this.#byId.get(id);
    if (stored?.state !== "recording") return false;
    stored.state = "waiting";
    return true;
  }

  /** Gives the place of a permission back that could not be recorded. */
  abandon({ request_id: id }: DisclosurePermission): void {
    if (this.#byId.get(id)?.state === "recording") this.#byId.delete(id);
  }

  /** The permissions for an agent's principal, with how each stands. */
  of(workload: string): readonly (GivenPermission & { readonly state: PermissionState })[] {
    this.#expire();
    return [...this.#byId.values()].filter(({ signed }) => signed.permission.workload === workload);
  }

  /** Uses a permission up. @returns whether it was there */
  use({ request_id: id }: DisclosurePermission): boolean {
    this.#expire();
    const stored = this.#byId.get(id);
    if (stored?.state !== "waiting") return false;
    stored.state = "used";
    return true;
  }

  #expire(): void {
    for (const [id, { signed }] of this.#byId) if (isOver(signed.permission, this.#now())) this.#byId.delete(id);
  }
}

/**
 * Whether a permission counts no more. It ends a second early, so that the entry of its use, which is written after the decision, is not
 * dated after its end.
 */
export function isOver({ expires_at: end }: DisclosurePermission, now: number): boolean {
  return now + 1_000 >= end * 1_000;
}
