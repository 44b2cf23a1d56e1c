import assert from "node:assert/strict";
import { unixDialer } from "@cmcp/wire";

const dialer = unixDialer("/nonexistent/socket");
await assert.rejects(dialer.dial(AbortSignal.timeout(5_000)), { code: "WIRE_UNREACHABLE" });
await assert.rejects(dialer.dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
