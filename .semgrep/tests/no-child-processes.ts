// ruleid: no-child-processes
import { spawn } from "node:child_process";
// ruleid: no-child-processes
import * as processes from "node:child_process";
// ok: no-child-processes
import { Worker } from "node:worker_threads";
