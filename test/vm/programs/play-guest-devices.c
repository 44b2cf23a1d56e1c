/*
 * The native helper with its devices played: /dev/sev-guest and /dev/tdx_guest answer as their drivers' ABI says, from
 * the layouts of AMD 56860 (tables 20, 23, 24) and the kernel's headers. What the helper asks for is held to what it
 * must ask for.
 *
 *   play-guest-devices <play> <request>     play: answers | refuses | status
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

static int played_open(const char *path, int flags);
static int played_ioctl(int fd, unsigned long request, void *argument);

#define open played_open
#define ioctl played_ioctl
#define main helper_main
#include "../../../enclave-image/native/helper.c"
#undef main
#undef ioctl
#undef open

enum { SEV = 100, TDX };

static const char *play;

static int played_open(const char *path, int flags) {
  if (flags == (O_RDWR | O_CLOEXEC) && strcmp(path, "/dev/sev-guest") == 0) return SEV;
  if (flags == (O_RDWR | O_CLOEXEC) && strcmp(path, "/dev/tdx_guest") == 0) return TDX;
  errno = ENOENT;
  return -1;
}

/* The privilege level 2 and the committed TCB 08..01, at their places in the report. */
static void answer_report(uint8_t *response) {
  response[4] = 0xa0, response[5] = 0x04;
  response[32 + 0x30] = 2;
  for (int index = 0; index < 8; index++) response[32 + 0x1e0 + index] = (uint8_t)(8 - index);
}

/* A key of 0x40..0x5f, for who asks with that level and TCB, and policy, measurement and TCB mixed in. */
static int answer_key(const uint8_t *question, uint8_t *response) {
  static const uint8_t wanted[32] = {[8] = 0x29, [16] = 2, [24] = 8, 7, 6, 5, 4, 3, 2, 1};

  if (memcmp(question, wanted, sizeof wanted) != 0) {
    errno = EINVAL;
    return -1;
  }
  for (int index = 0; index < 32; index++) response[32 + index] = (uint8_t)(0x40 + index);
  return 0;
}

static int played_ioctl(int fd, unsigned long request, void *argument) {
  if (strcmp(play, "refuses") == 0) {
    errno = EIO;
    return -1;
  }
  if (fd == TDX && request == TDX_CMD_GET_REPORT0) {
    static const uint8_t zeros[64];
    struct tdx_report_req *report = argument;

    if (memcmp(report->reportdata, zeros, sizeof zeros) != 0) {
      errno = EINVAL;
      return -1;
    }
    for (size_t index = 0; index < sizeof report->tdreport; index++) report->tdreport[index] = (uint8_t)index;
    return 0;
  }
  if (fd == SEV && ((struct snp_guest_request_ioctl *)argument)->msg_version == 1) {
    struct snp_guest_request_ioctl *message = argument;
    uint8_t *response = (uint8_t *)(uintptr_t)message->resp_data;

    if (strcmp(play, "status") == 0) {
      response[0] = 0x16;
      return 0;
    }
    if (request == SNP_GET_REPORT) {
      answer_report(response);
      return 0;
    }
    if (request == SNP_GET_DERIVED_KEY) return answer_key((const uint8_t *)(uintptr_t)message->req_data, response);
  }
  errno = ENOTTY;
  return -1;
}

int main(int count, char **arguments) {
  char *rest[] = {arguments[0], count > 2 ? arguments[2] : (char *)"", NULL};

  play = count > 1 ? arguments[1] : "";
  return helper_main(2, rest);
}
