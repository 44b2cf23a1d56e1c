export { servicesAddress, type EnclaveMachine } from "../launcher/qemu/qemu.ts";
