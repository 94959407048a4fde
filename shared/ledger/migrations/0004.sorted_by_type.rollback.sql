DROP INDEX file_sync_type_name, file_sync_failed_name, file_sync_failed_type;
