/* Statements about rows, transactions and settings, as acts. */
#include "base/str.h"
#include "change/act_pg.h"

#include <stdlib.h>
#include <string.h>

/* ---- transactions and settings -------------------------------------------------------------- */

static void read_transaction(ActReader *reader, const PgQuery__TransactionStmt *node)
{
    switch ((int)node->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        (void)act_add(reader, ACT_BEGIN, "BEGIN");
        break;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        (void)act_add(reader, ACT_COMMIT, "COMMIT");
        break;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        (void)act_add(reader, ACT_ROLLBACK, "ROLLBACK");
        break;
    default:
        (void)act_add(reader, ACT_OTHER, "SAVEPOINT");
        break;
    }
}

static const char *value_of(const ActReader *reader, PgQuery__Node *const *args, size_t count)
{
    if (count != 1 || args[0]->node_case != NODE(A_CONST))
        return NULL;
    const PgQuery__AConst *value = args[0]->a_const;
    switch ((int)value->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        return arena_printf(reader->arena, "%d", value->ival->ival);
    case PG_QUERY__A__CONST__VAL_SVAL:
        return act_keep(reader, value->sval->sval);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return act_keep(reader, value->fval->fval);
    default:
        return NULL;
    }
}

static void read_set(ActReader *reader, const PgQuery__VariableSetStmt *node)
{
    Act *act = act_add(reader, ACT_SET, "SET");
    bool reset = node->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                 node->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL ||
                 node->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT;
    act->name = node->name == NULL ? NULL : act_keep(reader, node->name);
    act->value = value_of(reader, node->args, node->n_args);
    act->flags |= (node->is_local ? ACT_LOCAL : 0) | (reset ? ACT_RESET : 0);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool is_twice(PgQuery__Node *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (items[i]->node_case == NODE(RES_TARGET) && items[j]->node_case == NODE(RES_TARGET) &&
                items[i]->res_target->n_indirection == 0 && items[j]->res_target->n_indirection == 0 &&
                items[i]->res_target->name != NULL && items[i]->res_target->name[0] != '\0' &&
                str_eq(items[i]->res_target->name, items[j]->res_target->name))
                return true;
    return false;
}

static void read_update(ActReader *reader, const PgQuery__UpdateStmt *node)
{
    Act *act = act_add(reader, ACT_UPDATE, "UPDATE");
    act->table = act_relation(reader, node->relation);
    act->flags |= (node->where_clause != NULL ? ACT_WHERE : 0) |
                  (is_twice(node->target_list, node->n_target_list) ? ACT_TWICE : 0);
}

static void read_insert(ActReader *reader, const PgQuery__InsertStmt *node)
{
    Act *act = act_add(reader, ACT_INSERT, "INSERT");
    act->table = act_relation(reader, node->relation);
    act->flags |= is_twice(node->cols, node->n_cols) ? ACT_TWICE : 0;
    bool rows = node->select_stmt != NULL && node->select_stmt->node_case == NODE(SELECT_STMT) &&
                node->select_stmt->select_stmt->n_values_lists == 0 &&
                node->select_stmt->select_stmt->n_from_clause > 0;
    act->value = rows ? "SELECT" : NULL;
}

/* Functions of the server that change nothing that a rule is about. */
static bool is_harmless(const char *name)
{
    static const char *const names[] = {"count",   "currval", "format", "lastval", "max",          "min",
                                        "nextval", "now",     "setval", "sum",     "txid_current", "version"};
    return name == NULL || str_starts(name, "pg_") || str_starts(name, "current_") ||
           str_in_sorted(names, ARRAY_LEN(names), name);
}

static const char *setting_argument(const PgQuery__FuncCall *call, size_t at)
{
    const PgQuery__Node *arg = at < call->n_args ? call->args[at] : NULL;
    bool text = arg != NULL && arg->node_case == NODE(A_CONST) &&
                arg->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    return text ? arg->a_const->sval->sval : NULL;
}

/* SELECT set_config('lock_timeout', '2s', false) is a SET. */
static bool read_set_config(ActReader *reader, const PgQuery__FuncCall *call)
{
    const char *name = setting_argument(call, 0), *value = setting_argument(call, 1);
    if (name == NULL || call->n_args != 3)
        return false;
    Act *act = act_add(reader, ACT_SET, "SELECT set_config");
    act->name = act_keep(reader, name);
    act->value = act_keep(reader, value);
    const PgQuery__Node *local = call->args[2];
    bool yes = local->node_case == NODE(A_CONST) &&
               local->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL &&
               local->a_const->boolval->boolval;
    act->flags |= yes ? ACT_LOCAL : 0;
    return true;
}

static void read_call(ActReader *reader, const PgQuery__FuncCall *call, const char *words)
{
    Name name = act_dotted(reader, call->funcname, call->n_funcname);
    if (str_eq(name.name, "set_config") && read_set_config(reader, call))
        return;
    if (str_eq(words, "SELECT") && (str_eq(name.schema, "pg_catalog") || is_harmless(name.name))) {
        (void)act_add(reader, ACT_SELECT, "SELECT");
        return;
    }
    act_unknown(reader, words, "it runs a function whose statements are not in sight");
    Act *act = &reader->acts.items[reader->acts.len - 1];
    act->table = name;
    act->flags |= ACT_READS_FUNCTION;
}

static void read_select(ActReader *reader, const PgQuery__SelectStmt *node)
{
    bool calls = node->n_from_clause == 0 && node->n_target_list > 0 && node->n_values_lists == 0;
    bool any = false;
    for (size_t i = 0; calls && i < node->n_target_list; i++) {
        const PgQuery__Node *item = node->target_list[i];
        const PgQuery__Node *value = item->node_case == NODE(RES_TARGET) ? item->res_target->val : NULL;
        if (value != NULL && value->node_case == NODE(FUNC_CALL)) {
            read_call(reader, value->func_call, "SELECT");
            any = true;
        }
    }
    if (any)
        return;
    bool into = node->into_clause != NULL;
    Act *act = act_add(reader, into ? ACT_CREATE_TABLE : ACT_SELECT, into ? "SELECT INTO" : "SELECT");
    if (into) {
        act->table = act_relation(reader, node->into_clause->rel);
        act->flags |= ACT_COPIED;
    }
}

/* WITH … (DELETE FROM …): statements as well. */
static void read_with(ActReader *reader, const PgQuery__WithClause *with)
{
    for (size_t i = 0; with != NULL && i < with->n_ctes; i++) {
        const PgQuery__Node *cte = with->ctes[i];
        const PgQuery__Node *query =
            cte->node_case == NODE(COMMON_TABLE_EXPR) ? cte->common_table_expr->ctequery : NULL;
        if (query != NULL && query->node_case != NODE(SELECT_STMT))
            (void)act_read_stmt(reader, query);
    }
}

static void read_copy(ActReader *reader, const PgQuery__CopyStmt *node)
{
    Act *act = act_add(reader, node->is_from ? ACT_COPY : ACT_SELECT, "COPY");
    act->table = act_relation(reader, node->relation);
}

bool act_read_stmt(ActReader *reader, const PgQuery__Node *node)
{
    Act *act = NULL;
    switch ((int)node->node_case) {
    case NODE(TRANSACTION_STMT):
        read_transaction(reader, node->transaction_stmt);
        return true;
    case NODE(VARIABLE_SET_STMT):
        read_set(reader, node->variable_set_stmt);
        return true;
    case NODE(SELECT_STMT):
        read_with(reader, node->select_stmt->with_clause);
        read_select(reader, node->select_stmt);
        return true;
    case NODE(INSERT_STMT):
        read_with(reader, node->insert_stmt->with_clause);
        read_insert(reader, node->insert_stmt);
        return true;
    case NODE(UPDATE_STMT):
        read_with(reader, node->update_stmt->with_clause);
        read_update(reader, node->update_stmt);
        return true;
    case NODE(DELETE_STMT):
        read_with(reader, node->delete_stmt->with_clause);
        act = act_add(reader, ACT_DELETE, "DELETE");
        act->table = act_relation(reader, node->delete_stmt->relation);
        act->flags |= node->delete_stmt->where_clause != NULL ? ACT_WHERE : 0;
        return true;
    case NODE(COPY_STMT):
        read_copy(reader, node->copy_stmt);
        return true;
    case NODE(LOCK_STMT):
        act = act_add(reader, ACT_LOCK, "LOCK");
        if (node->lock_stmt->n_relations > 0)
            act->table = act_relation(reader, node->lock_stmt->relations[0]->range_var);
        act->value = arena_printf(reader->arena, "%d", node->lock_stmt->mode);
        return true;
    case NODE(CALL_STMT):
        if (node->call_stmt->funccall != NULL)
            read_call(reader, node->call_stmt->funccall, "CALL");
        return node->call_stmt->funccall != NULL;
    case NODE(DO_STMT):
        act_read_do(reader, node->do_stmt);
        return true;
    case NODE(CREATE_FUNCTION_STMT):
        act_read_function(reader, node->create_function_stmt);
        return true;
    case NODE(EXECUTE_STMT):
        act_unknown(reader, "EXECUTE", "it runs a prepared statement");
        return true;
    default:
        return false;
    }
}
