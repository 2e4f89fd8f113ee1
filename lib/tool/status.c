#include <tool/status.h>

const char *status_words(status_t status)
{
    switch (status_code(status)) {
    case STATUS_CODE_OK:
        return "done";
    case STATUS_CODE_INVALID:
        return "not valid";
    case STATUS_CODE_WRONG_TYPE:
        return "of the wrong type";
    case STATUS_CODE_DENIED:
        return "read-only, or not permitted";
    case STATUS_CODE_NO_MEMORY:
        return "no memory";
    case STATUS_CODE_RANGE:
        return "too long, or too many links";
    case STATUS_CODE_NOT_FOUND:
        return "not found";
    case STATUS_CODE_EXISTS:
        return "exists, or is not empty";
    case STATUS_CODE_BUSY:
        return "in use";
    case STATUS_CODE_TIMED_OUT:
        return "took too long";
    case STATUS_CODE_PEER_DIED:
    case STATUS_CODE_STALE:
        return "the service is gone";
    case STATUS_CODE_GONE:
        return "gone";
    case STATUS_CODE_INTERRUPTED:
        return "interrupted";
    case STATUS_CODE_UNSUPPORTED:
        return "not supported here";
    case STATUS_CODE_IO:
        return "input/output error";
    case STATUS_CODE_NO_SPACE:
        return "no space";
    case STATUS_CODE_CORRUPT:
        return "damaged";
    default:
        return status_name(status);
    }
}
