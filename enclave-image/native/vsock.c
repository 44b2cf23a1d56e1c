/*
 * AF_VSOCK for Node: non-blocking stream sockets on the event loop of the environment that opened them, the main
 * thread's or a worker's. Policy, buffering and back-pressure are the caller's, in packages/wire; this file only moves
 * bytes and says what happened.
 *
 *   listen(port, notify)        -> socket   notify("accepted", socket, cid) for each connection
 *   connect(cid, port, notify)  -> socket   notify("connected") or notify("error", errno)
 *   adopt(socket, notify)                   says who hears of an accepted socket
 *   read(socket, on)                        notify("data", Buffer), notify("end"), while it is on
 *   write(socket, bytes)        -> bytes taken, 0 when the peer has no room: then once notify("writable")
 *   shutdown(socket)                        no more will be written; the other direction stays
 *   close(socket)                           frees the descriptor; nothing is heard of it afterwards
 *
 * listen, connect, write and shutdown throw an Error whose `errno` property is the system's.
 *
 * A struct vsocket is freed when libuv has closed its handle and the collector has taken its JavaScript value, in
 * whichever order the two come. Sockets still open when the environment ends are closed by its cleanup hook.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* linux/vm_sockets.h wants sa_family_t first. */
#include <linux/vm_sockets.h>

/* Bytes taken from a socket at a time: what one vsock packet carries. */
#define READ_BYTES 65536
/* Connections taken from a listener before other sockets get their turn. */
#define ACCEPTS_A_TURN 16
#define BACKLOG 128

enum state { CONNECTING, LISTENING, OPEN, CLOSED };

struct environment {
  napi_env env;
  napi_async_cleanup_hook_handle cleanup;
  struct vsocket *sockets;
  /* Set when the environment ends: no JavaScript runs any more. */
  bool ending;
  unsigned char buffer[READ_BYTES];
};

struct vsocket {
  uv_poll_t poll;
  struct environment *environment;
  struct vsocket *previous, *next;
  napi_ref notify;
  int fd;
  int wanted;
  enum state state;
  /* The two owners: libuv until it has closed the handle, the collector until it has finalised the value. */
  bool closed, collected;
};

static void on_event(uv_poll_t *poll, int status, int events);

/* ---- values ---- */

static napi_value undefined(napi_env env) {
  napi_value value;

  napi_get_undefined(env, &value);
  return value;
}

static napi_value text(napi_env env, const char *string) {
  napi_value value;

  napi_create_string_utf8(env, string, NAPI_AUTO_LENGTH, &value);
  return value;
}

static napi_value number(napi_env env, uint32_t value) {
  napi_value result;

  napi_create_uint32(env, value, &result);
  return result;
}

static napi_value throw_errno(napi_env env, int error) {
  napi_value thrown;

  napi_create_error(env, NULL, text(env, strerror(error)), &thrown);
  napi_set_named_property(env, thrown, "errno", number(env, (uint32_t)error));
  napi_throw(env, thrown);
  return NULL;
}

/* ---- telling JavaScript ---- */

static void notify(struct vsocket *vsocket, const char *event, size_t count, napi_value *values) {
  struct environment *environment = vsocket->environment;
  napi_env env = environment->env;
  napi_value arguments[3], function, receiver, thrown;

  if (environment->ending || vsocket->notify == NULL) return;
  arguments[0] = text(env, event);
  memcpy(arguments + 1, values, count * sizeof *values);
  napi_get_global(env, &receiver);
  napi_get_reference_value(env, vsocket->notify, &function);
  /* No JavaScript is below this on the stack, so what is thrown is an uncaught exception. */
  if (napi_make_callback(env, NULL, receiver, function, count + 1, arguments, NULL) == napi_pending_exception) {
    napi_get_and_clear_last_exception(env, &thrown);
    napi_fatal_exception(env, thrown);
  }
}

static void notify_error(struct vsocket *vsocket, int error) {
  napi_value value = number(vsocket->environment->env, (uint32_t)error);

  notify(vsocket, "error", 1, &value);
}

/* ---- life of a socket ---- */

static void free_when_unowned(struct vsocket *vsocket) {
  if (vsocket->closed && vsocket->collected) free(vsocket);
}

static void on_closed(uv_handle_t *handle) {
  struct vsocket *vsocket = handle->data;
  struct environment *environment = vsocket->environment;

  close(vsocket->fd);
  if (vsocket->previous != NULL)
    vsocket->previous->next = vsocket->next;
  else
    environment->sockets = vsocket->next;
  if (vsocket->next != NULL) vsocket->next->previous = vsocket->previous;
  vsocket->closed = true;
  free_when_unowned(vsocket);
  if (environment->ending && environment->sockets == NULL) napi_remove_async_cleanup_hook(environment->cleanup);
}

static void begin_close(struct vsocket *vsocket) {
  if (vsocket->state == CLOSED) return;
  vsocket->state = CLOSED;
  if (vsocket->notify != NULL) {
    napi_delete_reference(vsocket->environment->env, vsocket->notify);
    vsocket->notify = NULL;
  }
  /* libuv forgets the descriptor here; it is closed when the loop has turned and can no longer report it. */
  uv_close((uv_handle_t *)&vsocket->poll, on_closed);
}

static void on_collected(napi_env env, void *data, void *hint) {
  struct vsocket *vsocket = data;

  (void)env;
  (void)hint;
  vsocket->collected = true;
  begin_close(vsocket);
  free_when_unowned(vsocket);
}

/* Takes over `fd`. Returns its JavaScript value, or NULL with an exception pending and the descriptor closed. */
static napi_value wrap(struct environment *environment, int fd, enum state state, napi_value function) {
  napi_env env = environment->env;
  struct vsocket *vsocket = calloc(1, sizeof *vsocket);
  uv_loop_t *loop;
  napi_value value;
  int error = ENOMEM;

  if (vsocket == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      (error = -uv_poll_init_socket(loop, &vsocket->poll, fd)) != 0) {
    free(vsocket);
    close(fd);
    return throw_errno(env, error);
  }
  vsocket->poll.data = vsocket;
  vsocket->environment = environment;
  vsocket->fd = fd;
  vsocket->state = state;
  vsocket->next = environment->sockets;
  if (vsocket->next != NULL) vsocket->next->previous = vsocket;
  environment->sockets = vsocket;
  if (napi_create_external(env, vsocket, on_collected, NULL, &value) != napi_ok) {
    vsocket->collected = true;
    begin_close(vsocket);
    return throw_errno(env, ENOMEM);
  }
  if (function != NULL) napi_create_reference(env, function, 1, &vsocket->notify);
  return value;
}

static void want(struct vsocket *vsocket, int events) {
  int error;

  if (vsocket->wanted == events || vsocket->state == CLOSED) return;
  vsocket->wanted = events;
  error = events == 0 ? uv_poll_stop(&vsocket->poll) : uv_poll_start(&vsocket->poll, events, on_event);
  if (error != 0) notify_error(vsocket, -error);
}

/* ---- what the loop reports ---- */

static int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;

  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static void on_connected(struct vsocket *vsocket) {
  int error = pending_error(vsocket->fd);

  want(vsocket, 0);
  if (error != 0) {
    notify_error(vsocket, error);
    return;
  }
  vsocket->state = OPEN;
  notify(vsocket, "connected", 0, NULL);
}

static void on_acceptable(struct vsocket *vsocket) {
  struct environment *environment = vsocket->environment;

  for (int turn = 0; turn < ACCEPTS_A_TURN && vsocket->state == LISTENING; turn++) {
    struct sockaddr_vm peer;
    socklen_t size = sizeof peer;
    int fd = accept4(vsocket->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    napi_value values[2];

    if (fd < 0) {
      /* A peer that has gone again is not the listener's trouble. */
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      /* Out of descriptors: the connection would be reported again at once, so the caller says when to go on. */
      want(vsocket, 0);
      notify_error(vsocket, errno);
      return;
    }
    values[0] = wrap(environment, fd, OPEN, NULL);
    values[1] = number(environment->env, peer.svm_cid);
    if (values[0] == NULL) {
      napi_value thrown;

      napi_get_and_clear_last_exception(environment->env, &thrown);
      return;
    }
    notify(vsocket, "accepted", 2, values);
  }
}

static void on_readable(struct vsocket *vsocket) {
  struct environment *environment = vsocket->environment;
  ssize_t size = recv(vsocket->fd, environment->buffer, READ_BYTES, MSG_DONTWAIT);
  napi_value value;

  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    int error = errno;

    want(vsocket, vsocket->wanted & ~UV_READABLE);
    if (size == 0)
      notify(vsocket, "end", 0, NULL);
    else
      notify_error(vsocket, error);
    return;
  }
  if (napi_create_buffer_copy(environment->env, (size_t)size, environment->buffer, NULL, &value) != napi_ok) {
    notify_error(vsocket, ENOMEM);
    return;
  }
  notify(vsocket, "data", 1, &value);
}

/* libuv has stopped watching it, and says EBADF for whatever the kernel flags as an error of the socket. */
static void on_failed(struct vsocket *vsocket, int reported) {
  int error = pending_error(vsocket->fd);

  vsocket->wanted = 0;
  notify_error(vsocket, error != 0 ? error : reported);
}

static void on_event(uv_poll_t *poll, int status, int events) {
  struct vsocket *vsocket = poll->data;
  napi_handle_scope scope;

  napi_open_handle_scope(vsocket->environment->env, &scope);
  if (vsocket->state == CONNECTING)
    on_connected(vsocket);
  else if (status < 0)
    on_failed(vsocket, -status);
  else if (vsocket->state == LISTENING)
    on_acceptable(vsocket);
  else {
    if (events & UV_WRITABLE) {
      want(vsocket, vsocket->wanted & ~UV_WRITABLE);
      notify(vsocket, "writable", 0, NULL);
    }
    /* The caller may have closed it while it was told of the first. */
    if (vsocket->state == OPEN && (events & UV_READABLE) && (vsocket->wanted & UV_READABLE)) on_readable(vsocket);
  }
  napi_close_handle_scope(vsocket->environment->env, scope);
}

/* ---- functions ---- */

/* Reads the arguments of a call; false with an exception pending when there are fewer than wanted. */
static bool arguments_of(napi_env env, napi_callback_info info, size_t wanted, napi_value *arguments,
                         struct environment **environment) {
  size_t count = wanted;

  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok ||
      napi_get_instance_data(env, (void **)environment) != napi_ok || count < wanted) {
    napi_throw_type_error(env, NULL, "too few arguments");
    return false;
  }
  return true;
}

static bool uint_of(napi_env env, napi_value value, uint32_t *result) {
  if (napi_get_value_uint32(env, value, result) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "not a number");
  return false;
}

static bool function_of(napi_env env, napi_value value) {
  napi_valuetype type;

  if (napi_typeof(env, value, &type) == napi_ok && type == napi_function) return true;
  napi_throw_type_error(env, NULL, "not a function");
  return false;
}

/* The open socket behind a value; NULL with an exception pending when it is closed or none. */
static struct vsocket *socket_of(napi_env env, napi_value value) {
  napi_valuetype type;
  void *data;

  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_get_value_external(env, value, &data) != napi_ok) {
    napi_throw_type_error(env, NULL, "not a socket");
    return NULL;
  }
  if (((struct vsocket *)data)->state == CLOSED) {
    throw_errno(env, EBADF);
    return NULL;
  }
  return data;
}

static int open_socket(void) { return socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

static napi_value js_listen(napi_env env, napi_callback_info info) {
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
  struct environment *environment;
  napi_value arguments[2], value;
  void *data;
  int fd;

  if (!arguments_of(env, info, 2, arguments, &environment) || !uint_of(env, arguments[0], &address.svm_port) ||
      !function_of(env, arguments[1]))
    return NULL;
  fd = open_socket();
  if (fd < 0) return throw_errno(env, errno);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
    int error = errno;

    close(fd);
    return throw_errno(env, error);
  }
  value = wrap(environment, fd, LISTENING, arguments[1]);
  if (value != NULL && napi_get_value_external(env, value, &data) == napi_ok) want(data, UV_READABLE);
  return value;
}

static napi_value js_connect(napi_env env, napi_callback_info info) {
  struct sockaddr_vm address = {.svm_family = AF_VSOCK};
  struct environment *environment;
  napi_value arguments[3], value;
  void *data;
  int fd;

  if (!arguments_of(env, info, 3, arguments, &environment) || !uint_of(env, arguments[0], &address.svm_cid) ||
      !uint_of(env, arguments[1], &address.svm_port) || !function_of(env, arguments[2]))
    return NULL;
  fd = open_socket();
  if (fd < 0) return throw_errno(env, errno);
  /* No way to that CID at all is known at once; a peer that refuses, only later. */
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    int error = errno;

    close(fd);
    return throw_errno(env, error);
  }
  value = wrap(environment, fd, CONNECTING, arguments[2]);
  if (value != NULL && napi_get_value_external(env, value, &data) == napi_ok) want(data, UV_WRITABLE);
  return value;
}

static napi_value js_adopt(napi_env env, napi_callback_info info) {
  struct environment *environment;
  napi_value arguments[2];
  struct vsocket *vsocket;

  if (!arguments_of(env, info, 2, arguments, &environment) || !function_of(env, arguments[1]) ||
      (vsocket = socket_of(env, arguments[0])) == NULL)
    return NULL;
  if (vsocket->notify == NULL) napi_create_reference(env, arguments[1], 1, &vsocket->notify);
  return undefined(env);
}

static napi_value js_read(napi_env env, napi_callback_info info) {
  struct environment *environment;
  napi_value arguments[2];
  struct vsocket *vsocket;
  bool on = false;

  if (!arguments_of(env, info, 2, arguments, &environment) || (vsocket = socket_of(env, arguments[0])) == NULL)
    return NULL;
  napi_get_value_bool(env, arguments[1], &on);
  if (vsocket->state != CONNECTING) want(vsocket, on ? vsocket->wanted | UV_READABLE : vsocket->wanted & ~UV_READABLE);
  return undefined(env);
}

static napi_value js_write(napi_env env, napi_callback_info info) {
  struct environment *environment;
  napi_value arguments[2];
  struct vsocket *vsocket;
  size_t size;
  void *bytes;
  ssize_t taken;

  if (!arguments_of(env, info, 2, arguments, &environment) || (vsocket = socket_of(env, arguments[0])) == NULL)
    return NULL;
  if (napi_get_buffer_info(env, arguments[1], &bytes, &size) != napi_ok) {
    napi_throw_type_error(env, NULL, "not bytes");
    return NULL;
  }
  taken = send(vsocket->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return throw_errno(env, errno);
  if (taken < 0) taken = 0;
  if ((size_t)taken < size) want(vsocket, vsocket->wanted | UV_WRITABLE);
  return number(env, (uint32_t)taken);
}

static napi_value js_shutdown(napi_env env, napi_callback_info info) {
  struct environment *environment;
  napi_value argument;
  struct vsocket *vsocket;

  if (!arguments_of(env, info, 1, &argument, &environment) || (vsocket = socket_of(env, argument)) == NULL) return NULL;
  if (shutdown(vsocket->fd, SHUT_WR) != 0) return throw_errno(env, errno);
  return undefined(env);
}

static napi_value js_close(napi_env env, napi_callback_info info) {
  struct environment *environment;
  napi_value argument;
  struct vsocket *vsocket;

  if (!arguments_of(env, info, 1, &argument, &environment) || (vsocket = socket_of(env, argument)) == NULL) return NULL;
  begin_close(vsocket);
  return undefined(env);
}

/* ---- the environment ---- */

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  struct environment *environment = data;

  environment->ending = true;
  if (environment->sockets == NULL) {
    napi_remove_async_cleanup_hook(handle);
    return;
  }
  for (struct vsocket *vsocket = environment->sockets; vsocket != NULL; vsocket = vsocket->next) begin_close(vsocket);
}

static void free_environment(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  static const napi_property_descriptor functions[] = {
      {.utf8name = "listen", .method = js_listen, .attributes = napi_enumerable},
      {.utf8name = "connect", .method = js_connect, .attributes = napi_enumerable},
      {.utf8name = "adopt", .method = js_adopt, .attributes = napi_enumerable},
      {.utf8name = "read", .method = js_read, .attributes = napi_enumerable},
      {.utf8name = "write", .method = js_write, .attributes = napi_enumerable},
      {.utf8name = "shutdown", .method = js_shutdown, .attributes = napi_enumerable},
      {.utf8name = "close", .method = js_close, .attributes = napi_enumerable},
  };
  struct environment *environment = calloc(1, sizeof *environment);

  if (environment == NULL) return throw_errno(env, ENOMEM);
  environment->env = env;
  if (napi_set_instance_data(env, environment, free_environment, NULL) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_environment_end, environment, &environment->cleanup) != napi_ok ||
      napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions) != napi_ok)
    return throw_errno(env, ENOMEM);
  return exports;
}
