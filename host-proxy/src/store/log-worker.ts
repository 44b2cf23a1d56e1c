/** Entry of the thread that moves a store's write-ahead log into its file. */
import { fsyncSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** What was appended while the first was copied is little, and what is then left less. */
const ROUNDS = 2;

const { path } = workerData as { readonly path: string };
const database = new DatabaseSync(path);
database.exec("PRAGMA synchronous = NORMAL");
// Never closed before the process ends: the end of any descriptor of a file ends every lock that the process has on it
// (POSIX), SQLite's too.
const file = openSync(path, "r");

parentPort?.on("message", (wanted: "move" | "close") => {
  if (wanted === "move") {
    for (let round = 0; round < ROUNDS; round += 1) {
      database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      // SQLite syncs the file only where nothing is left in the log, for which whoever appends would have to wait.
      fsyncSync(file);
    }
    parentPort?.postMessage("moved", []);
  } else {
    database.close();
    parentPort?.close();
  }
});
