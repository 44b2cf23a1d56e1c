export function bad(): void {
  // ruleid: no-unverified-tls
  connect({ host: "a.example", rejectUnauthorized: false });
}
export function good(): void {
  // ok: no-unverified-tls
  connect({ host: "a.example", minVersion: "TLSv1.3" });
}
