/* The grammar, by recursive descent.
 *
 *   list      := and_or { (";" | "&" | newline) and_or }
 *   and_or    := pipeline { ("&&" | "||") pipeline }
 *   pipeline  := ["!"] command { "|" command }
 *   command   := simple | compound { redirect } | name "()" compound
 *   compound  := "(" list ")" | "{" list "}" | if | while | until | for | case
 *
 * One token is looked at ahead. The first failure sticks: after it every token is the end, so that all functions return soon. Nesting
 * is counted, since the input may come from anywhere and the stack is small. */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 60u
#define STREAMS 3u
/** Of what is started in the background so much is kept as it was written. */
#define JOB_TEXT_BYTES 60

enum token { TOKEN_END, TOKEN_NEWLINE, TOKEN_WORD, TOKEN_OPERATOR };

struct parser {
    const char *at; /* behind the token */
    enum token token;
    const char *text; /* of the token */
    size_t bytes;
    unsigned line;
    unsigned depth;
    enum parse_result result;
    const char *message;
    struct redirect *here[8]; /* whose texts begin behind the next newline */
    size_t here_count;
};

static struct node *parse_list(struct parser *p);

/* --- trees ------------------------------------------------------------------------------------------------ */

struct node *node_ref(struct node *node)
{
    if (node) {
        __atomic_add_fetch(&node->refs, 1, __ATOMIC_RELAXED);
    }
    return node;
}

static void redirects_free(struct redirect *redirect)
{
    while (redirect) {
        struct redirect *next = redirect->next;
        free(redirect->word);
        free(redirect);
        redirect = next;
    }
}

void node_free(struct node *node)
{
    // Lists lean to the right, so that this goes deep by nesting only, which is limited.
    while (node && __atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        struct node *right = node->right;
        node_free(node->left);
        node_free(node->other);
        redirects_free(node->redirects);
        strings_free(&node->assigns);
        strings_free(&node->words);
        free(node->name);
        free(node);
        node = right;
    }
}

/* --- tokens ----------------------------------------------------------------------------------------------- */

static void fail(struct parser *p, enum parse_result result, const char *message)
{
    if (p->result == PARSE_OK) {
        p->result = result;
        p->message = message;
    }
    p->token = TOKEN_END;
    p->bytes = 0;
}

/** Read the text of @redirect, whose word is the line that ends it. */
static void read_here(struct parser *p, struct redirect *redirect)
{
    struct text text = {.data = NULL};
    for (;;) {
        size_t bytes = strcspn(p->at, "\n");
        const char *line = p->at;
        bool last = line[bytes] == '\0';
        if (redirect->strip_tabs) {
            size_t tabs = strspn(line, "\t");
            line += tabs;
            bytes -= tabs;
        }
        if (strlen(redirect->word) == bytes && memcmp(redirect->word, line, bytes) == 0) {
            p->at = line + bytes + !last;
            break;
        }
        if (last) {
            text_free(&text);
            fail(p, PARSE_INCOMPLETE, "here-document without end");
            return;
        }
        text_add(&text, line, bytes + 1);
        p->at = line + bytes + 1;
        p->line++;
    }
    free(redirect->word);
    redirect->word = text_take(&text);
    if (!redirect->word) {
        fail(p, PARSE_ERROR, "no memory");
    }
}

static void skip_blanks(struct parser *p)
{
    for (;;) {
        p->at += strspn(p->at, " \t\r");
        if (*p->at == '#') {
            p->at += strcspn(p->at, "\n");
        } else if (p->at[0] == '\\' && p->at[1] == '\n') {
            p->at += 2;
            p->line++;
            if (*p->at == '\0') {
                fail(p, PARSE_INCOMPLETE, "a line goes on, and there is no next");
            }
        } else {
            return;
        }
    }
}

static size_t operator_bytes(const char *at)
{
    static const char *const operators[] = {"&&", "||", ";;", "<<-", "<<", ">>", ">&", "<&",
                                            ";",  "&",  "|",  "(",   ")",  "<",  ">"};
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        size_t bytes = strlen(operators[i]);
        if (strncmp(at, operators[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}

static void read_word(struct parser *p)
{
    const char *end = word_end(p->at);
    if (!end) {
        fail(p, PARSE_INCOMPLETE, "a quote or substitution has no end");
        return;
    }
    // Only behind a backslash does a line's end belong to a word.
    if (*end == '\0' && end[-1] == '\n') {
        fail(p, PARSE_INCOMPLETE, "a line goes on, and there is no next");
        return;
    }
    for (const char *c = p->at; c < end; c++) {
        p->line += *c == '\n';
    }
    p->token = TOKEN_WORD;
    p->bytes = (size_t)(end - p->at);
    p->at = end;
}

static void advance(struct parser *p)
{
    if (p->result != PARSE_OK) {
        return;
    }
    skip_blanks(p);
    p->text = p->at;
    if (*p->at == '\0') {
        p->token = TOKEN_END;
        p->bytes = 0;
        if (p->here_count > 0) {
            fail(p, PARSE_INCOMPLETE, "here-document without end");
        }
    } else if (*p->at == '\n') {
        p->token = TOKEN_NEWLINE;
        p->bytes = 1;
        p->at++;
        p->line++;
        for (size_t i = 0; i < p->here_count; i++) {
            read_here(p, p->here[i]);
        }
        p->here_count = 0;
    } else if (operator_bytes(p->at) > 0) {
        p->token = TOKEN_OPERATOR;
        p->bytes = operator_bytes(p->at);
        p->at += p->bytes;
    } else {
        read_word(p);
    }
}

static bool is(const struct parser *p, enum token token, const char *text)
{
    return p->token == token && strlen(text) == p->bytes && memcmp(p->text, text, p->bytes) == 0;
}

static bool is_operator(const struct parser *p, const char *text)
{
    return is(p, TOKEN_OPERATOR, text);
}

static bool is_keyword(const struct parser *p, const char *text)
{
    return is(p, TOKEN_WORD, text);
}

static void unexpected(struct parser *p)
{
    fail(p, p->token == TOKEN_END ? PARSE_INCOMPLETE : PARSE_ERROR, "syntax error");
}

static void expect(struct parser *p, enum token token, const char *text)
{
    if (is(p, token, text)) {
        advance(p);
    } else {
        unexpected(p);
    }
}

static void skip_newlines(struct parser *p)
{
    while (p->token == TOKEN_NEWLINE) {
        advance(p);
    }
}

/** The token, a word, as a string. */
static char *take_word(struct parser *p)
{
    char *word = p->token == TOKEN_WORD ? strndup(p->text, p->bytes) : NULL;
    if (p->token != TOKEN_WORD) {
        unexpected(p);
    } else if (!word) {
        fail(p, PARSE_ERROR, "no memory");
    }
    advance(p);
    return word;
}

static struct node *node_new(struct parser *p, enum node_kind kind, struct node *left)
{
    struct node *node = p->result == PARSE_OK ? calloc(1, sizeof(*node)) : NULL;
    if (!node) {
        node_free(left);
        fail(p, PARSE_ERROR, "no memory");
        return NULL;
    }
    node->refs = 1;
    node->kind = kind;
    node->left = left;
    return node;
}

/* --- redirections ----------------------------------------------------------------------------------------- */

/** A number of one digit directly before '<' or '>'. */
static bool is_stream_number(const struct parser *p)
{
    return p->token == TOKEN_WORD && p->bytes == 1 && *p->text >= '0' && *p->text <= '9' &&
           (*p->at == '<' || *p->at == '>');
}

static bool is_redirect(const struct parser *p)
{
    return is_stream_number(p) ||
           (p->token == TOKEN_OPERATOR && (*p->text == '<' || *p->text == '>'));
}

static enum redirect_kind redirect_kind(const struct parser *p)
{
    if (is_operator(p, "<<") || is_operator(p, "<<-")) {
        return REDIRECT_HERE;
    }
    if (is_operator(p, ">&") || is_operator(p, "<&")) {
        return REDIRECT_DUPLICATE;
    }
    if (is_operator(p, ">>")) {
        return REDIRECT_APPEND;
    }
    return *p->text == '<' ? REDIRECT_READ : REDIRECT_WRITE;
}

/** The end mark of a here-document without its quotes, which say that the text is literal. */
static void prepare_here(struct parser *p, struct redirect *redirect)
{
    char *to = redirect->word;
    for (const char *from = redirect->word; *from; from++) {
        if (strchr("'\"\\", *from)) {
            redirect->kind = REDIRECT_HERE_LITERAL;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    if (p->here_count == sizeof(p->here) / sizeof(p->here[0])) {
        fail(p, PARSE_ERROR, "too many here-documents in a line");
        return;
    }
    p->here[p->here_count++] = redirect;
}

static void parse_redirect(struct parser *p, struct redirect **end)
{
    struct redirect *redirect = calloc(1, sizeof(*redirect));
    unsigned number = STREAMS;
    if (!redirect) {
        fail(p, PARSE_ERROR, "no memory");
        return;
    }
    *end = redirect;
    if (is_stream_number(p)) {
        number = (unsigned)(*p->text - '0');
        advance(p);
        if (number >= STREAMS) {
            fail(p, PARSE_ERROR, "there are the streams 0, 1 and 2");
            return;
        }
    }
    redirect->stream = number < STREAMS ? number : *p->text == '>';
    redirect->kind = redirect_kind(p);
    redirect->strip_tabs = is_operator(p, "<<-");
    // The word must be registered before the newline behind it is read.
    skip_blanks(p);
    advance(p);
    if (p->token != TOKEN_WORD) {
        unexpected(p);
        return;
    }
    redirect->word = strndup(p->text, p->bytes);
    if (!redirect->word) {
        fail(p, PARSE_ERROR, "no memory");
        return;
    }
    if (redirect->kind == REDIRECT_HERE) {
        prepare_here(p, redirect);
    }
    advance(p);
}

static struct redirect **redirects_end(struct node *node)
{
    struct redirect **end = &node->redirects;
    while (*end) {
        end = &(*end)->next;
    }
    return end;
}

/* --- commands --------------------------------------------------------------------------------------------- */

static bool is_assignment(const struct parser *p)
{
    size_t bytes = name_bytes(p->text);
    return bytes > 0 && bytes < p->bytes && p->text[bytes] == '=';
}

static struct node *parse_function(struct parser *p, struct node *simple);

static struct node *parse_simple(struct parser *p)
{
    struct node *node = node_new(p, NODE_SIMPLE, NULL);
    while (node && p->result == PARSE_OK) {
        if (is_redirect(p)) {
            parse_redirect(p, redirects_end(node));
        } else if (p->token == TOKEN_WORD) {
            strings_take(node->words.count == 0 && is_assignment(p) ? &node->assigns : &node->words,
                         take_word(p));
        } else if (is_operator(p, "(") && node->words.count == 1 && node->assigns.count == 0 &&
                   !node->redirects) {
            return parse_function(p, node);
        } else {
            break;
        }
    }
    if (node && node->words.count == 0 && node->assigns.count == 0 && !node->redirects) {
        unexpected(p);
    }
    return node;
}

/** A list that must not be empty. */
static struct node *parse_body(struct parser *p)
{
    struct node *list = parse_list(p);
    if (!list) {
        unexpected(p);
    }
    return list;
}

/** Behind "if" or "elif", "fi" included. */
static struct node *parse_if(struct parser *p)
{
    struct node *node = node_new(p, NODE_IF, parse_body(p));
    expect(p, TOKEN_WORD, "then");
    if (!node) {
        return NULL;
    }
    node->right = parse_body(p);
    if (is_keyword(p, "elif") && p->depth < DEPTH_MAX) {
        p->depth++;
        advance(p);
        node->other = parse_if(p);
        p->depth--;
        return node;
    }
    if (is_keyword(p, "else")) {
        advance(p);
        node->other = parse_body(p);
    }
    expect(p, TOKEN_WORD, "fi");
    return node;
}

static struct node *parse_do(struct parser *p)
{
    expect(p, TOKEN_WORD, "do");
    struct node *body = parse_body(p);
    expect(p, TOKEN_WORD, "done");
    return body;
}

static struct node *parse_while(struct parser *p, enum node_kind kind)
{
    struct node *node = node_new(p, kind, parse_body(p));
    struct node *body = parse_do(p);
    if (node) {
        node->right = body;
    } else {
        node_free(body);
    }
    return node;
}

static struct node *parse_for(struct parser *p)
{
    struct node *node = node_new(p, NODE_FOR, NULL);
    if (!node) {
        return NULL;
    }
    if (p->token != TOKEN_WORD || name_bytes(p->text) != p->bytes) {
        unexpected(p);
        return node;
    }
    node->name = take_word(p);
    skip_newlines(p);
    if (is_keyword(p, "in")) {
        node->has_words = true;
        advance(p);
        while (p->token == TOKEN_WORD) {
            strings_take(&node->words, take_word(p));
        }
        if (p->token != TOKEN_NEWLINE && !is_operator(p, ";")) {
            unexpected(p);
        }
    }
    if (is_operator(p, ";")) {
        advance(p);
    }
    skip_newlines(p);
    node->left = parse_do(p);
    return node;
}

static struct node *parse_case_item(struct parser *p)
{
    struct node *item = node_new(p, NODE_CASE_ITEM, NULL);
    if (!item) {
        return NULL;
    }
    if (is_operator(p, "(")) {
        advance(p);
    }
    strings_take(&item->words, take_word(p));
    while (is_operator(p, "|")) {
        advance(p);
        strings_take(&item->words, take_word(p));
    }
    expect(p, TOKEN_OPERATOR, ")");
    item->left = parse_list(p);
    if (is_operator(p, ";;")) {
        advance(p);
    } else if (!is_keyword(p, "esac")) {
        unexpected(p);
    }
    skip_newlines(p);
    return item;
}

static struct node *parse_case(struct parser *p)
{
    struct node *node = node_new(p, NODE_CASE, NULL);
    if (!node) {
        return NULL;
    }
    node->name = take_word(p);
    skip_newlines(p);
    expect(p, TOKEN_WORD, "in");
    skip_newlines(p);
    for (struct node **end = &node->left; p->result == PARSE_OK && !is_keyword(p, "esac");
         end = &(*end)->right) {
        *end = parse_case_item(p);
        if (!*end) {
            return node;
        }
    }
    expect(p, TOKEN_WORD, "esac");
    return node;
}

static struct node *parse_braces(struct parser *p)
{
    struct node *node = node_new(p, NODE_GROUP, parse_body(p));
    expect(p, TOKEN_WORD, "}");
    return node;
}

static struct node *parse_subshell(struct parser *p)
{
    struct node *node = node_new(p, NODE_SUBSHELL, parse_body(p));
    expect(p, TOKEN_OPERATOR, ")");
    return node;
}

static bool take_keyword(struct parser *p, const char *text)
{
    bool found = is_keyword(p, text);
    if (found) {
        advance(p);
    }
    return found;
}

static struct node *parse_compound(struct parser *p, bool *found)
{
    *found = true;
    if (is_operator(p, "(")) {
        advance(p);
        return parse_subshell(p);
    }
    if (take_keyword(p, "{")) {
        return parse_braces(p);
    }
    if (take_keyword(p, "if")) {
        return parse_if(p);
    }
    if (take_keyword(p, "while")) {
        return parse_while(p, NODE_WHILE);
    }
    if (take_keyword(p, "until")) {
        return parse_while(p, NODE_UNTIL);
    }
    if (take_keyword(p, "for")) {
        return parse_for(p);
    }
    if (take_keyword(p, "case")) {
        return parse_case(p);
    }
    *found = false;
    return NULL;
}

static bool is_closing(const struct parser *p)
{
    static const char *const words[] = {"then", "elif", "else", "fi", "do", "done", "esac", "}"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_keyword(p, words[i])) {
            return true;
        }
    }
    return false;
}

static struct node *parse_command(struct parser *p)
{
    bool compound = false;
    if (p->depth >= DEPTH_MAX) {
        fail(p, PARSE_ERROR, "nested too deep");
        return NULL;
    }
    p->depth++;
    struct node *node = parse_compound(p, &compound);
    if (!compound && (is_closing(p) || is_keyword(p, "!"))) {
        unexpected(p);
    } else if (!compound) {
        node = parse_simple(p);
    }
    while (compound && node && is_redirect(p)) {
        parse_redirect(p, redirects_end(node));
    }
    p->depth--;
    return node;
}

/** Behind the name, at "(". */
static struct node *parse_function(struct parser *p, struct node *simple)
{
    bool compound = false;
    struct node *node = node_new(p, NODE_FUNCTION, NULL);
    if (node) {
        node->name = strdup(simple->words.items[0]);
        if (!node->name || name_bytes(node->name) != strlen(node->name)) {
            fail(p, PARSE_ERROR, "this is no name for a function");
        }
    }
    node_free(simple);
    advance(p);
    expect(p, TOKEN_OPERATOR, ")");
    skip_newlines(p);
    struct node *body = parse_compound(p, &compound);
    if (!compound) {
        unexpected(p);
    }
    if (node) {
        node->left = body;
    } else {
        node_free(body);
    }
    return node;
}

static struct node *parse_pipeline(struct parser *p)
{
    bool negate = take_keyword(p, "!");
    struct node *first = parse_command(p);
    struct node **last = &first;
    while (is_operator(p, "|")) {
        advance(p);
        skip_newlines(p);
        *last = node_new(p, NODE_PIPE, *last);
        struct node *right = parse_command(p);
        if (!*last) {
            node_free(right);
            return first;
        }
        (*last)->right = right;
        last = &(*last)->right;
    }
    return negate ? node_new(p, NODE_NOT, first) : first;
}

static struct node *parse_and_or(struct parser *p)
{
    struct node *tree = parse_pipeline(p);
    unsigned chained = 0;
    while (is_operator(p, "&&") || is_operator(p, "||")) {
        enum node_kind kind = *p->text == '&' ? NODE_AND : NODE_OR;
        advance(p);
        skip_newlines(p);
        // These lean to the left, since both bind alike: their number is a depth.
        if (++chained > DEPTH_MAX) {
            fail(p, PARSE_ERROR, "too many in a row");
        }
        tree = node_new(p, kind, tree);
        struct node *right = parse_pipeline(p);
        if (!tree) {
            node_free(right);
            return NULL;
        }
        tree->right = right;
    }
    return tree;
}

/** What was written from @begin to the token, on one line. */
static char *text_of(const struct parser *p, const char *begin)
{
    struct text text = {.data = NULL};
    const char *end = p->text;
    while (end > begin && strchr(" \t\n", end[-1])) {
        end--;
    }
    bool long_one = end - begin > JOB_TEXT_BYTES;
    end = long_one ? begin + JOB_TEXT_BYTES : end;
    // No character is cut (UTF-8: what goes on in one begins with the bits 10).
    while (long_one && end > begin && ((unsigned char)*end & 0xc0) == 0x80) {
        end--;
    }
    for (const char *at = begin; at < end; at++) {
        text_char(&text, *at == '\n' || *at == '\t' ? ' ' : *at);
    }
    text_string(&text, long_one ? "..." : "");
    return text_take(&text);
}

/** @command, which was written from @begin on, and behind which there is a "&". */
static struct node *background_new(struct parser *p, struct node *command, const char *begin)
{
    struct node *node = node_new(p, NODE_BACKGROUND, command);
    if (node) {
        node->name = text_of(p, begin);
        if (!node->name) {
            fail(p, PARSE_ERROR, "no memory");
        }
    }
    return node;
}

static struct node *parse_list(struct parser *p)
{
    struct node *first = NULL;
    struct node **end = &first;
    skip_newlines(p);
    while (p->result == PARSE_OK && p->token != TOKEN_END && !is_operator(p, ")") &&
           !is_operator(p, ";;") && !is_closing(p)) {
        const char *begin = p->text;
        struct node *command = parse_and_or(p);
        if (is_operator(p, "&")) {
            command = background_new(p, command, begin);
        }
        if (*end) {
            *end = node_new(p, NODE_SEQUENCE, *end);
            if (!*end) {
                node_free(command);
                return first;
            }
            (*end)->right = command;
            end = &(*end)->right;
        } else {
            *end = command;
        }
        if (p->token != TOKEN_NEWLINE && !is_operator(p, ";") && !is_operator(p, "&")) {
            break;
        }
        advance(p);
        skip_newlines(p);
    }
    return first;
}

enum parse_result parse(const char *text, struct node **tree, const char **message, unsigned *line)
{
    struct parser p = {.at = text, .line = 1};
    advance(&p);
    *tree = parse_list(&p);
    if (p.result == PARSE_OK && p.token != TOKEN_END) {
        unexpected(&p);
    }
    if (p.result != PARSE_OK) {
        node_free(*tree);
        *tree = NULL;
    }
    *message = p.message;
    *line = p.line;
    return p.result;
}
