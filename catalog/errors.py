"""SQL-level errors: one class per SQLSTATE, its docstring beginning with the condition's name.

Raise them with PostgreSQL's own wording. storage.errors has the root and what storage itself raises
(54000, 53100, 58030, 40001, 72000, XX001 …); the wire protocol's own are in `kalam_pg.pgwire`. Add a
missing class to its group; the house test checks that no SQLSTATE has two classes.
"""

from storage.errors import CharacterNotInRepertoireError as CharacterNotInRepertoireError  # noqa: PLC0414 -- raised here too
from storage.errors import FeatureNotSupportedError as FeatureNotSupportedError  # noqa: PLC0414 -- likewise
from storage.errors import KalamError

# --------------------------------------- Syntax, names and access (class 42)


class SqlSyntaxError(KalamError):
    """syntax_error: the text is not SQL."""

    sqlstate = "42601"


class InsufficientPrivilegeError(KalamError):
    """insufficient_privilege: the role may not do this."""

    sqlstate = "42501"


class InvalidGrantOperationError(KalamError):
    """invalid_grant_operation: the privilege does not exist for this kind of object."""

    sqlstate = "0LP01"


class UndefinedTableError(KalamError):
    """undefined_table: no table of that name is visible to this user."""

    sqlstate = "42P01"


class UndefinedColumnError(KalamError):
    """undefined_column: no such column."""

    sqlstate = "42703"


class UndefinedFunctionError(KalamError):
    """undefined_function: no function or operator takes these arguments."""

    sqlstate = "42883"


class UndefinedObjectError(KalamError):
    """undefined_object: no such type, role, setting, constraint or other object."""

    sqlstate = "42704"


class UndefinedParameterError(KalamError):
    """undefined_parameter: no such parameter `$n`."""

    sqlstate = "42P02"


class AmbiguousColumnError(KalamError):
    """ambiguous_column: the name fits several columns."""

    sqlstate = "42702"


class AmbiguousFunctionError(KalamError):
    """ambiguous_function: the call fits several functions or operators."""

    sqlstate = "42725"


class DuplicateFunctionError(KalamError):
    """duplicate_function: a function of that name and those types exists."""

    sqlstate = "42723"


class InvalidFunctionDefinitionError(KalamError):
    """invalid_function_definition: a function cannot be declared so, or its body does not fit."""

    sqlstate = "42P13"


class AmbiguousParameterError(KalamError):
    """ambiguous_parameter: a parameter was given several types."""

    sqlstate = "42P08"


class AmbiguousAliasError(KalamError):
    """ambiguous_alias: the alias fits several tables."""

    sqlstate = "42P09"


class DuplicateTableError(KalamError):
    """duplicate_table: a table, view or index of that name exists."""

    sqlstate = "42P07"


class DuplicateColumnError(KalamError):
    """duplicate_column: the column is named twice."""

    sqlstate = "42701"


class DuplicateObjectError(KalamError):
    """duplicate_object: a role, constraint or other object of that name exists."""

    sqlstate = "42710"


class DuplicateAliasError(KalamError):
    """duplicate_alias: the table name or alias is used twice."""

    sqlstate = "42712"


class DuplicateCursorError(KalamError):
    """duplicate_cursor: a cursor of that name exists."""

    sqlstate = "42P03"


class DuplicatePreparedStatementError(KalamError):
    """duplicate_prepared_statement: a prepared statement of that name exists."""

    sqlstate = "42P05"


class DuplicateSchemaError(KalamError):
    """duplicate_schema: a schema of that name exists."""

    sqlstate = "42P06"


class InvalidForeignKeyError(KalamError):
    """invalid_foreign_key: no key of the other table is what a foreign key refers to."""

    sqlstate = "42830"


class DatatypeMismatchError(KalamError):
    """datatype_mismatch: an expression has the wrong type for its place."""

    sqlstate = "42804"


class CannotCoerceError(KalamError):
    """cannot_coerce: there is no cast between these types."""

    sqlstate = "42846"


class GroupingError(KalamError):
    """grouping_error: a column is neither grouped nor aggregated, or an aggregate stands where
    none may.
    """

    sqlstate = "42803"


class WindowingError(KalamError):
    """windowing_error: a window function stands where none may."""

    sqlstate = "42P20"


class InvalidRecursionError(KalamError):
    """invalid_recursion: a recursive query that is not of the form PostgreSQL runs."""

    sqlstate = "42P19"


class WrongObjectTypeError(KalamError):
    """wrong_object_type: the object is of another kind than the statement asks for."""

    sqlstate = "42809"


class InvalidColumnReferenceError(KalamError):
    """invalid_column_reference: a column number or target that is not there."""

    sqlstate = "42P10"


class InvalidNameError(KalamError):
    """invalid_name: what is named may not be called so."""

    sqlstate = "42602"


class ReservedNameError(KalamError):
    """reserved_name: the name is reserved for the system."""

    sqlstate = "42939"


class InvalidTableDefinitionError(KalamError):
    """invalid_table_definition: a table is defined in a contradictory way."""

    sqlstate = "42P16"


class IndeterminateDatatypeError(KalamError):
    """indeterminate_datatype: the type of a parameter or expression cannot be told."""

    sqlstate = "42P18"


class InvalidCursorDefinitionError(KalamError):
    """invalid_cursor_definition: a cursor is defined in a contradictory way."""

    sqlstate = "42P11"


class GeneratedAlwaysError(KalamError):
    """generated_always: a generated or ALWAYS identity column was given a value."""

    sqlstate = "428C9"


# -------------------------- What is known and not there (0A, 3D, 3F, 26, 34)


class InvalidCatalogNameError(KalamError):
    """invalid_catalog_name: no such database."""

    sqlstate = "3D000"


class InvalidSchemaNameError(KalamError):
    """invalid_schema_name: no such schema."""

    sqlstate = "3F000"


class InvalidSqlStatementNameError(KalamError):
    """invalid_sql_statement_name: no such prepared statement."""

    sqlstate = "26000"


class InvalidCursorStateError(KalamError):
    """invalid_cursor_state: the cursor does not stand where it must."""

    sqlstate = "24000"


class InvalidCursorNameError(KalamError):
    """invalid_cursor_name: no such cursor or portal."""

    sqlstate = "34000"


class DependentObjectsStillExistError(KalamError):
    """dependent_objects_still_exist: something else depends on it."""

    sqlstate = "2BP01"


# ------------------------------- Constraints (class 23) and cardinality (21)


class NotNullViolationError(KalamError):
    """not_null_violation: NULL in a NOT NULL column."""

    sqlstate = "23502"


class ForeignKeyViolationError(KalamError):
    """foreign_key_violation: a row refers to one that is not there."""

    sqlstate = "23503"


class UniqueViolationError(KalamError):
    """unique_violation: the key exists already."""

    sqlstate = "23505"


class WithCheckOptionViolationError(KalamError):
    """with_check_option_violation: a row is not one of the view that it is written through."""

    sqlstate = "44000"


class CheckViolationError(KalamError):
    """check_violation: a CHECK expression is false."""

    sqlstate = "23514"


class CardinalityViolationError(KalamError):
    """cardinality_violation: a subquery in an expression gave several rows, or a row was to be
    updated twice.
    """

    sqlstate = "21000"


# --------------------------------------------------------- Values (class 22)


class DataExceptionError(KalamError):
    """data_exception: a value is not acceptable, in no more special way."""

    sqlstate = "22000"


class StringDataRightTruncationError(KalamError):
    """string_data_right_truncation: the text is longer than its type allows."""

    sqlstate = "22001"


class NumericValueOutOfRangeError(KalamError):
    """numeric_value_out_of_range: the number is out of its type's range."""

    sqlstate = "22003"


class NullValueNotAllowedError(KalamError):
    """null_value_not_allowed: NULL where none may be."""

    sqlstate = "22004"


class InvalidDatetimeFormatError(KalamError):
    """invalid_datetime_format: the text is no date or time."""

    sqlstate = "22007"


class DatetimeFieldOverflowError(KalamError):
    """datetime_field_overflow: the date or time is out of range."""

    sqlstate = "22008"


class InvalidTimeZoneDisplacementValueError(KalamError):
    """invalid_time_zone_displacement_value: no such offset from UTC."""

    sqlstate = "22009"


class StringDataLengthMismatchError(KalamError):
    """string_data_length_mismatch: bit strings of different sizes."""

    sqlstate = "22026"


class SubstringError(KalamError):
    """substring_error: a substring of negative length."""

    sqlstate = "22011"


class DivisionByZeroError(KalamError):
    """division_by_zero: division by zero."""

    sqlstate = "22012"


class InvalidPrecedingOrFollowingSizeError(KalamError):
    """invalid_preceding_or_following_size: a window frame's offset is negative or NULL."""

    sqlstate = "22013"


class InvalidArgumentForNtileFunctionError(KalamError):
    """invalid_argument_for_ntile_function: the argument of ntile is not positive."""

    sqlstate = "22014"


class IntervalFieldOverflowError(KalamError):
    """interval_field_overflow: the interval is out of range."""

    sqlstate = "22015"


class InvalidArgumentForNthValueFunctionError(KalamError):
    """invalid_argument_for_nth_value_function: the argument of nth_value is not positive."""

    sqlstate = "22016"


class SequenceGeneratorLimitExceededError(KalamError):
    """sequence_generator_limit_exceeded: the sequence has no further number."""

    sqlstate = "2200H"


class ExternalRoutineInvocationError(KalamError):
    """external_routine_invocation_exception: an extension's function cannot do what it is asked."""

    sqlstate = "39000"


class InvalidParameterValueError(KalamError):
    """invalid_parameter_value: an option or argument has a value that is not allowed."""

    sqlstate = "22023"


class SqlJsonSubscriptError(KalamError):
    """invalid_sql_json_subscript: a subscript of a jsonpath is no index of the array."""

    sqlstate = "22033"


class InvalidArgumentForSqlJsonDatetimeFunctionError(KalamError):
    """invalid_argument_for_sql_json_datetime_function: .datetime() of what is none."""

    sqlstate = "22031"


class NonNumericSqlJsonItemError(KalamError):
    """non_numeric_sql_json_item: a method of numbers meets something else."""

    sqlstate = "22036"


class SingletonSqlJsonItemError(KalamError):
    """singleton_sql_json_item_required: one item is needed, and there are none or several."""

    sqlstate = "22038"


class SqlJsonArrayNotFoundError(KalamError):
    """sql_json_array_not_found: an accessor of arrays meets something else."""

    sqlstate = "22039"


class SqlJsonMemberNotFoundError(KalamError):
    """sql_json_member_not_found: an object has no member of that name."""

    sqlstate = "2203A"


class SqlJsonNumberNotFoundError(KalamError):
    """sql_json_number_not_found: a sign stands before what is no number."""

    sqlstate = "2203B"


class SqlJsonObjectNotFoundError(KalamError):
    """sql_json_object_not_found: an accessor of objects meets something else."""

    sqlstate = "2203C"


class InvalidEscapeSequenceError(KalamError):
    """invalid_escape_sequence: a pattern or string ends in an escape or has an unknown one."""

    sqlstate = "22025"


class InvalidUseOfEscapeCharacterError(KalamError):
    """invalid_use_of_escape_character: more than two marks of a part in SIMILAR's pattern."""

    sqlstate = "2200C"


class InvalidRegularExpressionError(KalamError):
    """invalid_regular_expression: the text is no regular expression."""

    sqlstate = "2201B"


class InvalidArgumentForLogarithmError(KalamError):
    """invalid_argument_for_logarithm: the logarithm of zero or of a negative number."""

    sqlstate = "2201E"


class InvalidArgumentForWidthBucketFunctionError(KalamError):
    """invalid_argument_for_width_bucket_function: no buckets, or none of a finite width."""

    sqlstate = "2201G"


class InvalidArgumentForPowerFunctionError(KalamError):
    """invalid_argument_for_power_function: a power with no real result."""

    sqlstate = "2201F"


class InvalidRowCountInLimitClauseError(KalamError):
    """invalid_row_count_in_limit_clause: LIMIT is negative."""

    sqlstate = "2201W"


class InvalidRowCountInResultOffsetClauseError(KalamError):
    """invalid_row_count_in_result_offset_clause: OFFSET is negative."""

    sqlstate = "2201X"


class ArraySubscriptError(KalamError):
    """array_subscript_error: arrays or subscripts that do not fit together."""

    sqlstate = "2202E"


class InvalidTablesampleArgumentError(KalamError):
    """invalid_tablesample_argument: no share of a table's rows is so large."""

    sqlstate = "2202H"


class InvalidTablesampleRepeatError(KalamError):
    """invalid_tablesample_repeat: REPEATABLE has no seed."""

    sqlstate = "2202G"


class InvalidTextRepresentationError(KalamError):
    """invalid_text_representation: the text is not of the type."""

    sqlstate = "22P02"


class InvalidBinaryRepresentationError(KalamError):
    """invalid_binary_representation: the bytes are not of the type's binary format."""

    sqlstate = "22P03"


class BadCopyFileFormatError(KalamError):
    """bad_copy_file_format: what a client sends for COPY FROM is not in the format it names."""

    sqlstate = "22P04"


class UntranslatableCharacterError(KalamError):
    """untranslatable_character: the character has no equivalent in the other encoding."""

    sqlstate = "22P05"


# --------------------- Transactions and cursors (classes 24, 25, 2D, 3B, 40)


class ActiveSqlTransactionError(KalamError):
    """active_sql_transaction: not inside a transaction block, or not so late in it."""

    sqlstate = "25001"


class ReadOnlySqlTransactionError(KalamError):
    """read_only_sql_transaction: the transaction only reads."""

    sqlstate = "25006"


class NoActiveSqlTransactionError(KalamError):
    """no_active_sql_transaction: there is no transaction block."""

    sqlstate = "25P01"


class InFailedSqlTransactionError(KalamError):
    """in_failed_sql_transaction: the block failed; only ROLLBACK is left."""

    sqlstate = "25P02"


class IdleInTransactionSessionTimeoutError(KalamError):
    """idle_in_transaction_session_timeout: the block was idle for too long."""

    sqlstate = "25P03"


class InvalidSavepointSpecificationError(KalamError):
    """invalid_savepoint_specification: no such savepoint."""

    sqlstate = "3B001"


class DeadlockDetectedError(KalamError):
    """deadlock_detected: transactions wait for each other in a circle."""

    sqlstate = "40P01"


# -------- Access to the server (class 28) and its state (53, 54, 55, 57, 58)


class InvalidAuthorizationSpecificationError(KalamError):
    """invalid_authorization_specification: the role may not log in."""

    sqlstate = "28000"


class InvalidPasswordError(KalamError):
    """invalid_password: the password is wrong."""

    sqlstate = "28P01"


class InsufficientResourcesError(KalamError):
    """insufficient_resources: a resource ran out, in no more special way."""

    sqlstate = "53000"


class OutOfMemoryError(KalamError):
    """out_of_memory: the memory limit was reached."""

    sqlstate = "53200"


class TooManyConnectionsError(KalamError):
    """too_many_connections: too many connections."""

    sqlstate = "53300"


class ConfigurationLimitExceededError(KalamError):
    """configuration_limit_exceeded: a configured limit was reached."""

    sqlstate = "53400"


class StatementTooComplexError(KalamError):
    """statement_too_complex: the statement is too deep or too long to run."""

    sqlstate = "54001"


class InvalidColumnDefinitionError(KalamError):
    """invalid_column_definition: a column cannot be what it is to be."""

    sqlstate = "42611"


class InvalidObjectDefinitionError(KalamError):
    """invalid_object_definition: an expression that an index or a generated column cannot have."""

    sqlstate = "42P17"


class TooManyColumnsError(KalamError):
    """too_many_columns: more than 1600 columns."""

    sqlstate = "54011"


class ObjectNotInPrerequisiteStateError(KalamError):
    """object_not_in_prerequisite_state: the object is not in a state for this."""

    sqlstate = "55000"


class ObjectInUseError(KalamError):
    """object_in_use: the object is in use."""

    sqlstate = "55006"


class CantChangeRuntimeParamError(KalamError):
    """cant_change_runtime_param: the setting cannot be changed now."""

    sqlstate = "55P02"


class LockNotAvailableError(KalamError):
    """lock_not_available: the lock was not free in time."""

    sqlstate = "55P03"


class QueryCanceledError(KalamError):
    """query_canceled: the statement was cancelled, by request or by a timeout."""

    sqlstate = "57014"


class AdminShutdownError(KalamError):
    """admin_shutdown: an administrator ended the session."""

    sqlstate = "57P01"
    severity = "FATAL"


class IdleSessionTimeoutError(KalamError):
    """idle_session_timeout: the session was idle for too long."""

    sqlstate = "57P05"


class SystemFailureError(KalamError):
    """system_error: a failure outside the database."""

    sqlstate = "58000"


class RaiseExceptionError(KalamError):
    """raise_exception: what RAISE raised, with the SQLSTATE that it named."""

    sqlstate = "P0001"

    def __init__(self, message: str, sqlstate: str, *, detail: str = "", hint: str = "") -> None:
        source = ("pl_exec.c", "3893", "exec_stmt_raise")
        super().__init__(message, detail=detail, hint=hint, source=source)
        self.sqlstate = sqlstate  # type: ignore[misc]  # of this one alone
