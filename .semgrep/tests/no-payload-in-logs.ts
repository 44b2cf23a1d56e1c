export function bad(log: Log, body: Uint8Array): void {
  // ruleid: no-payload-in-logs
  console.log("here");
  // ruleid: no-payload-in-logs
  log.info({ status: 200, body: body }, "answered");
}
export function good(log: Log): void {
  // ok: no-payload-in-logs
  log.info({ status: 200 }, "answered");
}
