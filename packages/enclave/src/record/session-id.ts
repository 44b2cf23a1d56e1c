/** How the record names every session: a UUID that a gateway chose, in lower case (RFC 9562 section 4). */
const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether what an agent calls a session by can be its id. Any other text, a label or a handle, names nothing in the host's store and is not sent there. */
export function isSessionId(name: string): boolean {
  return SESSION_ID.test(name);
}
