/*
 * Asks the processor's guest device what Node cannot, for lack of ioctl, and writes the answer to standard output,
 * bare:
 *
 *   helper snp-key     a key of this chip, measurement, policy and firmware, for sealing (32 bytes)
 *   helper tdx-report  the TDREPORT of this guest, over 64 zero bytes (1024 bytes)
 *
 * PID 1 runs it as root before the runtime starts. The fields of the key are those of attestation/src/sealing/SPEC.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <linux/tdx-guest.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* SEV-SNP ABI (AMD 56860), table 24: the response is a status, a size, 24 reserved bytes and the report. */
#define SNP_REPORT_OFFSET 32
/* Table 23, in the report: the VMPL it was asked from, and the firmware version that cannot be left again. */
#define SNP_REPORT_VMPL 0x030
#define SNP_REPORT_COMMITTED_TCB 0x1e0
/* Table 20: a status, 28 reserved bytes and the key. */
#define SNP_KEY_OFFSET 32
#define SNP_KEY_BYTES 32
/* Table 18, GUEST_FIELD_SELECT: policy (bit 0), measurement (bit 3) and TCB version (bit 5) go into the key. */
#define SNP_KEY_FIELDS (1u << 0 | 1u << 3 | 1u << 5)

static int fail(const char *what) {
  fprintf(stderr, "helper: %s: %s\n", what, strerror(errno));
  return 1;
}

static int print(const void *bytes, size_t size) {
  return write(STDOUT_FILENO, bytes, size) == (ssize_t)size ? 0 : fail("write");
}

/* One request to /dev/sev-guest; 0 when firmware and driver both accepted it. */
static int snp_request(unsigned long request, void *question, void *answer) {
  struct snp_guest_request_ioctl message = {
      .msg_version = 1, .req_data = (uintptr_t)question, .resp_data = (uintptr_t)answer};
  int fd = open("/dev/sev-guest", O_RDWR | O_CLOEXEC);
  uint32_t status;

  if (fd < 0) return fail("/dev/sev-guest");
  if (ioctl(fd, request, &message) != 0) return fail("the SEV-SNP firmware refused");
  close(fd);
  memcpy(&status, answer, sizeof status);
  if (status != 0) {
    errno = EIO;
    return fail("the SEV-SNP firmware answered with a status");
  }
  return 0;
}

static int snp_key(void) {
  static struct snp_report_req about;
  static struct snp_report_resp report;
  static struct snp_derived_key_req question = {.guest_field_select = SNP_KEY_FIELDS};
  static struct snp_derived_key_resp answer;

  if (snp_request(SNP_GET_REPORT, &about, &report) != 0) return 1;
  memcpy(&question.vmpl, report.data + SNP_REPORT_OFFSET + SNP_REPORT_VMPL, sizeof question.vmpl);
  memcpy(&question.tcb_version, report.data + SNP_REPORT_OFFSET + SNP_REPORT_COMMITTED_TCB,
         sizeof question.tcb_version);
  if (snp_request(SNP_GET_DERIVED_KEY, &question, &answer) != 0) return 1;
  return print(answer.data + SNP_KEY_OFFSET, SNP_KEY_BYTES);
}

static int tdx_report(void) {
  static struct tdx_report_req request;
  int fd = open("/dev/tdx_guest", O_RDWR | O_CLOEXEC);

  if (fd < 0) return fail("/dev/tdx_guest");
  if (ioctl(fd, TDX_CMD_GET_REPORT0, &request) != 0) return fail("the TDX module refused");
  close(fd);
  return print(request.tdreport, sizeof request.tdreport);
}

int main(int count, char **arguments) {
  const char *request = count == 2 ? arguments[1] : "";

  if (strcmp(request, "snp-key") == 0) return snp_key();
  if (strcmp(request, "tdx-report") == 0) return tdx_report();
  fputs("usage: helper snp-key|tdx-report\n", stderr);
  return 2;
}
