/** A call that an owner's permission let through. */
export interface PermittedDisclosure {
  readonly call_id: string | null;
  /** The permission's `request_id`. */
  readonly disclosure_id: string;
  readonly owner: string;
  readonly recipient: string;
  readonly purpose: string;
}
