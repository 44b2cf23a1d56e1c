/** Port of the guest on which the enclave listens. PID 1 of the image tells the runtime the same. */
export const ENCLAVE_PORT = 5000;
/** Port of the host, as the guest sees it, on which the host's services listen. */
export const SERVICES_PORT = 6000;
/** Port of the host to which PID 1 of the image connects, without a word, once the guest's vsock works. */
export const GUEST_READY_PORT = 6001;
