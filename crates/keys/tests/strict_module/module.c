/* SoftHSM behind a door that is as strict as HSMs are: it allows few sessions and locks the PIN.
 * SoftHSM itself knows neither. Every other call goes straight to it.
 *
 * STRICT_MODULE: path of SoftHSM. STRICT_SESSIONS: how many sessions may be open (0: any number).
 * STRICT_PIN: "locked", and the PIN is locked; "locks": it locks after the third wrong one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong_t;
typedef struct { unsigned char version[2]; void *function[68]; } functions_t; /* PKCS#11 2.40, in its order */
enum { GET_FUNCTION_LIST = 3, OPEN_SESSION = 12, CLOSE_SESSION = 13, CLOSE_ALL_SESSIONS = 14, LOGIN = 18 };
enum { OK = 0, PIN_INCORRECT = 0xA0, PIN_LOCKED = 0xA4, SESSION_COUNT = 0xB1 };

static functions_t ours;
static const functions_t *real;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long open_sessions, wrong_pins;

static ulong_t open_session(ulong_t slot, ulong_t flags, void *data, void *notify, ulong_t *session) {
    const char *limit = getenv("STRICT_SESSIONS");
    ulong_t (*call)(ulong_t, ulong_t, void *, void *, ulong_t *) = real->function[OPEN_SESSION];
    pthread_mutex_lock(&lock);
    ulong_t result = limit && atol(limit) && open_sessions >= atol(limit)
        ? SESSION_COUNT : call(slot, flags, data, notify, session);
    if (result == OK) open_sessions++;
    pthread_mutex_unlock(&lock);
    return result;
}

static ulong_t close_session(ulong_t session) {
    ulong_t (*call)(ulong_t) = real->function[CLOSE_SESSION];
    pthread_mutex_lock(&lock);
    ulong_t result = call(session);
    if (result == OK) open_sessions--;
    pthread_mutex_unlock(&lock);
    return result;
}

static ulong_t close_all_sessions(ulong_t slot) {
    ulong_t (*call)(ulong_t) = real->function[CLOSE_ALL_SESSIONS];
    pthread_mutex_lock(&lock);
    ulong_t result = call(slot);
    if (result == OK) open_sessions = 0;
    pthread_mutex_unlock(&lock);
    return result;
}

static ulong_t login(ulong_t session, ulong_t user, const char *pin, ulong_t length) {
    const char *how = getenv("STRICT_PIN");
    ulong_t (*call)(ulong_t, ulong_t, const char *, ulong_t) = real->function[LOGIN];
    pthread_mutex_lock(&lock);
    int locked = how && (!strcmp(how, "locked") || (!strcmp(how, "locks") && wrong_pins >= 3));
    ulong_t result = locked ? PIN_LOCKED : call(session, user, pin, length);
    if (result == PIN_INCORRECT) wrong_pins++;
    pthread_mutex_unlock(&lock);
    return result;
}

ulong_t C_GetFunctionList(void **list) {
    if (!real) {
        void *library = dlopen(getenv("STRICT_MODULE"), RTLD_NOW | RTLD_LOCAL);
        ulong_t (*get)(void **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
        if (!get || get((void **)&real) != OK) return 5; /* CKR_GENERAL_ERROR */
        ours = *real;
        ours.function[GET_FUNCTION_LIST] = C_GetFunctionList;
        ours.function[OPEN_SESSION] = open_session;
        ours.function[CLOSE_SESSION] = close_session;
        ours.function[CLOSE_ALL_SESSIONS] = close_all_sessions;
        ours.function[LOGIN] = login;
    }
    *list = &ours;
    return OK;
}
