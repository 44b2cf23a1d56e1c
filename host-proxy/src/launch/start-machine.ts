export { startMachine } from "../launcher/qemu/accelerators.ts";
