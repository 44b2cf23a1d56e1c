import { CmcpError } from "@cmcp/boundary";

/** The server does not know our session, so it ran nothing of what was sent in it (MCP, "Session Management"). */
export class SessionLost extends CmcpError {
  constructor() {
    super("UPSTREAM_PROTOCOL_ERROR", "the tool server does not know the session", { detail: { sent: 1, status: 404 } });
  }
}

/** A server would not go on with an answer that broke off: what it ran is unknown, and whether it still knows the session. */
export class NotResumed extends CmcpError {
  constructor(status: number) {
    super(
      "UPSTREAM_PROTOCOL_ERROR",
      `the tool server's answer ended without a reply, and it answered HTTP ${status} when it was to go on`,
      { detail: { sent: 1 } },
    );
  }
}
