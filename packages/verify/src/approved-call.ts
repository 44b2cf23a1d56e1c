/** A call that approvals let through. */
export interface ApprovedCall {
  readonly call_id: string | null;
  readonly tool_name: string | null;
  /** Each approval that it used, with who gave it. */
  readonly approvals: readonly { readonly approval_id: string; readonly approvers: readonly string[] }[];
}
