from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.forwarder import forwarder
from streamer.producer import RECORD_BYTES

FOLDER = Path(forwarder.__file__).parent


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short tags, each read as its long form."""


def _tagged(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".")
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _tagged)


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((FOLDER / "template.yaml").read_text(), Loader)
    return loaded


def properties(resource: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][resource]["Properties"]
    return found


def statements() -> dict[str, dict[str, Any]]:
    """Those of the role, by their ids; conditional ones are said to be allowed."""
    (policy,) = properties("Role")["Policies"]
    written = policy["PolicyDocument"]["Statement"]
    plain = [one["Fn::If"][1] if "Fn::If" in one else one for one in written]
    return {one["Sid"]: one for one in plain}


def actions(statement: dict[str, Any]) -> set[str]:
    given = statement["Action"]
    return {given} if isinstance(given, str) else set(given)


def test_the_role_allows_what_the_forwarder_does_and_nothing_else() -> None:
    assert {sid: actions(one) for sid, one in statements().items()} == {
        "ReadCaptures": {"s3:GetObject"},
        "PutCaptures": {"kinesis:PutRecords"},
        "KeepFailures": {"sqs:SendMessage"},
        "WriteLogs": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "DecryptCaptures": {"kms:Decrypt"},
        "EncryptRecords": {"kms:GenerateDataKey"},
        "WorkOffFailures": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    }


def test_no_permission_is_for_every_resource_or_for_a_pattern_but_the_captures() -> None:
    texts = {sid: str(one["Resource"]) for sid, one in statements().items()}
    assert "*" not in "".join(text for sid, text in texts.items() if sid != "ReadCaptures")
    assert texts["ReadCaptures"] == "{'Fn::Sub': 'arn:${AWS::Partition}:s3:::${CaptureBucket}/${CapturePrefix}*'}"


def test_the_role_is_assumed_by_lambda_only_and_has_no_managed_policy() -> None:
    (trust,) = properties("Role")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert "ManagedPolicyArns" not in properties("Role")


@pytest.mark.parametrize(
    ("sid", "condition"),
    [
        ("DecryptCaptures", "HasCaptureKey"),
        ("EncryptRecords", "HasStreamKey"),
        ("WorkOffFailures", "IsRedriven"),
    ],
)
def test_a_permission_that_is_not_always_needed_is_conditional(sid: str, condition: str) -> None:
    (policy,) = properties("Role")["Policies"]
    conditional = [one["Fn::If"] for one in policy["PolicyDocument"]["Statement"] if "Fn::If" in one]
    assert (condition, {"Ref": "AWS::NoValue"}) in [(c, absent) for c, one, absent in conditional if one["Sid"] == sid]


def test_only_this_accounts_bucket_may_call_it() -> None:
    permission = properties("CalledByBucket")
    assert permission["Principal"] == "s3.amazonaws.com"
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["SourceArn"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::${CaptureBucket}"}
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_events_that_fail_are_tried_again_and_then_kept() -> None:
    assert properties("Retries")["MaximumRetryAttempts"] == 2
    assert properties("Function")["DeadLetterConfig"] == {"TargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    assert properties("DeadLetters")["MessageRetentionPeriod"] == 14 * 86_400
    assert properties("DeadLetters")["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("resource", ["DeadLetters", "Logs"])
def test_what_tells_of_failures_outlives_the_stack(resource: str) -> None:
    assert template()["Resources"][resource]["DeletionPolicy"] == "Retain"


def test_a_person_hears_of_failures() -> None:
    assert properties("Failures")["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["DeadLetters", "QueueName"]}
    assert properties("Failures")["Threshold"] == 0


def test_kept_events_are_worked_off_one_by_one_only_when_asked_for() -> None:
    assert template()["Resources"]["Redriving"]["Condition"] == "IsRedriven"
    assert template()["Parameters"]["Redrive"]["Default"] == "false"
    assert properties("Redriving")["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties("Redriving")["BatchSize"] == 1


def test_the_queue_hides_an_event_for_longer_than_the_function_may_run() -> None:
    longest = template()["Parameters"]["TimeoutSeconds"]["MaxValue"]
    assert properties("DeadLetters")["VisibilityTimeout"] >= 6 * longest


def test_the_shortest_run_leaves_time_to_send() -> None:
    assert template()["Parameters"]["TimeoutSeconds"]["MinValue"] >= 2 * forwarder._RESERVE_SECONDS


def test_the_number_of_runs_at_once_is_a_parameter_with_a_bound() -> None:
    assert properties("Function")["ReservedConcurrentExecutions"] == {"Ref": "ReservedConcurrency"}
    assert template()["Parameters"]["ReservedConcurrency"]["MinValue"] >= 1


def test_the_handler_is_the_function_of_that_name() -> None:
    module, _, function = properties("Function")["Handler"].partition(".")
    assert (FOLDER / f"{module}.py").is_file()
    assert callable(getattr(forwarder, function))


def test_the_environment_is_what_the_forwarder_reads_and_the_readme_tells() -> None:
    given = set(properties("Function")["Environment"]["Variables"])
    assert given == {"STREAM", "MODEL_VERSION", "RECORD_BYTES"}
    readme = (FOLDER / "README.md").read_text()
    source = (FOLDER / "forwarder.py").read_text()
    assert [name for name in given if f'"{name}"' not in source or f"| `{name}` |" not in readme] == []


def test_the_largest_record_is_the_same_everywhere() -> None:
    assert template()["Parameters"]["RecordBytes"]["Default"] == RECORD_BYTES
    assert f"| `RECORD_BYTES` | {RECORD_BYTES} |" in (FOLDER / "README.md").read_text()


def test_logs_are_json_and_end_some_day() -> None:
    assert properties("Function")["LoggingConfig"]["LogFormat"] == "JSON"
    assert properties("Function")["LoggingConfig"]["LogGroup"] == {"Ref": "Logs"}
    assert properties("Logs")["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_parameter_is_used() -> None:
    text = (FOLDER / "template.yaml").read_text()
    unused = [n for n in template()["Parameters"] if f"!Ref {n}" not in text and f"${{{n}}}" not in text]
    assert unused == []
