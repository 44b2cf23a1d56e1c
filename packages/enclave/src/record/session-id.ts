/** A session id in the record: a lower-case UUID (RFC 9562 section 4). */
const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a name can be a session id. Labels and handles cannot, and are never sent to the host. */
export function isSessionId(name: string): boolean {
  return SESSION_ID.test(name);
}
