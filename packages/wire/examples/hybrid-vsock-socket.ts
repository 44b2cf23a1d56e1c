import assert from "node:assert/strict";
import { hybridVsockSocket } from "@cmcp/wire";

assert.equal(hybridVsockSocket("/run/vm.sock", 6000), "/run/vm.sock_6000");
