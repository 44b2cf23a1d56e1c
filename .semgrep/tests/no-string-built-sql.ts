export function bad(db: Database, name: string): void {
  // ruleid: no-string-built-sql
  db.prepare(`SELECT * FROM records WHERE session = '${name}'`);
  // ruleid: no-string-built-sql
  db.exec("DELETE FROM records WHERE session = " + name);
}
export function good(db: Database, name: string): void {
  // ok: no-string-built-sql
  db.prepare("SELECT * FROM records WHERE session = ?").all(name);
  // ok: no-string-built-sql
  db.exec(`BEGIN; ${SCHEMA} COMMIT;`);
  // ok: no-string-built-sql
  /a/.exec(`${name}`);
}
